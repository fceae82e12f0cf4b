import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { selfSigned } from '../../../src/relay/transport/self-signed.ts';

describe('a self-signed certificate', () => {
  for (const name of ['a.example', `${'long.'.repeat(40)}example`]) {
    it(`is for ${name.slice(0, 20)}, is signed by its own key, and is valid`, () => {
      const { cert, key } = selfSigned(name, new Date('2026-11-25T12:00:00Z'));
      const read = new X509Certificate(cert);
      expect(read.checkHost(name)).to.equal(name);
      expect(read.checkPrivateKey(createPrivateKey(key))).to.equal(true);
      expect(read.verify(read.publicKey)).to.equal(true);
      expect(read.validFromDate.toISOString()).to.equal('2026-11-24T12:00:00.000Z');
      expect(read.validToDate.toISOString()).to.equal('2036-11-22T12:00:00.000Z');
    });
  }

  it('can be valid beyond 2049', () => {
    const { cert } = selfSigned('a.example', new Date('2045-01-01T00:00:00Z'));
    expect(new X509Certificate(cert).validToDate.getUTCFullYear()).to.equal(2054);
  });

  it('has another serial number each time', () => {
    const serials = [1, 2].map(() => new X509Certificate(selfSigned('a', new Date()).cert).serialNumber);
    expect(new Set(serials).size).to.equal(2);
  });
});
