import { expect } from 'chai';
import { addressesOf, shared, type Lookup } from '../../../src/relay/dns/lookup.ts';

describe('lookup', () => {
  it('that is simultaneous for one name is done once, and again afterwards, also after a failure', async () => {
    const started: string[] = [];
    const lookup: Lookup = shared((host) => {
      started.push(host);
      return host === 'dead.example' ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve([host]);
    });
    const results = await Promise.allSettled(
      ['dead.example', 'a.example', 'dead.example', 'a.example'].map(lookup),
    );
    expect(results.map(({ status }) => status)).to.deep.equal([
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
    expect(started).to.deep.equal(['dead.example', 'a.example']);
    await Promise.allSettled([lookup('dead.example'), lookup('a.example')]);
    expect(started).to.have.length(4);
  });

  it('returns at most 64 addresses of a name', async () => {
    const many = Array.from(
      { length: 4000 },
      (_, index) => `192.0.${String(index >> 8)}.${String(index & 255)}`,
    );
    const name = { host: 'a.example', port: 1 };
    expect(await addressesOf(name, () => Promise.resolve(many))).to.deep.equal(many.slice(0, 64));
  });
});
