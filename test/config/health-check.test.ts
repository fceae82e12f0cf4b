import { expect } from 'chai';
import { relayConfig } from '../../src/config/parsed-config.ts';
import { payloadBytes } from '../../src/lib/payload.ts';

const endpoint = { listen: '[::]:53', remote: 'a.example:53' };

describe('health_check.udp', () => {
  const checks = [
    { udp: { send: 'ping' }, why: 'any answer' },
    { udp: { send: '\\x00\\xfF\\r\\n\\t\\\\', expect: 'ü\n' }, why: 'bytes, and more than one line' },
    { udp: { expect: 'x' }, problem: 'udp.send: is missing: add it', why: 'nothing to send' },
    {
      udp: { send: '' },
      problem: 'udp.send: is not the text of a datagram, got "": write 1 to 1024',
      why: 'empty',
    },
    { udp: { send: 'a\\' }, problem: 'udp.send: is not the text', why: 'a lone backslash' },
    { udp: { send: 'a', expect: '\\x4' }, problem: 'udp.expect: is not the text', why: 'half a byte' },
    { udp: { send: 'x'.repeat(1025) }, problem: 'udp.send: is not the text', why: 'too long' },
    { udp: 'ping', problem: 'udp: has the wrong type', why: 'no table' },
  ];
  for (const { udp, problem, why } of checks) {
    it(`${problem === undefined ? 'reads' : 'rejects'} health_check.udp: ${why}`, () => {
      const document = { endpoints: [{ ...endpoint, health_check: { udp }, network: { use_udp: true } }] };
      if (problem === undefined)
        expect(relayConfig(document, 'test').config.endpoints[0]?.healthCheck?.udp).to.deep.equal(udp);
      else expect(() => relayConfig(document, 'test')).to.throw(`endpoints[0].health_check.${problem}`);
    });
  }

  it('warns of health_check.udp without UDP', () => {
    const document = { endpoints: [{ ...endpoint, health_check: { udp: { send: 'x' } } }] };
    const { warnings } = relayConfig(document, 'test');
    expect(warnings.map(({ path }) => path.join('.'))).to.deep.equal(['endpoints.0.health_check.udp']);
  });

  it('stands for the bytes that its escapes name, and otherwise for UTF-8', () => {
    const bytes = payloadBytes('\\x00a\\xfFü\\r\\n\\t\\\\x00');
    expect(bytes?.toString('hex')).to.equal('0061ffc3bc0d0a095c783030');
  });
});
