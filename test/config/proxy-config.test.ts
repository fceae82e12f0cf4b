import { expect } from 'chai';
import { relayConfig } from '../../src/config/parsed-config.ts';

describe('PROXY headers in the relay config', () => {
  const both = { send_proxy: true, accept_proxy: true };
  const cases = [
    { network: {}, expected: {}, why: 'none by default' },
    {
      network: both,
      expected: { sendProxyVersion: 2, acceptProxy: { timeoutMs: 5000, trustedSources: [] } },
      why: 'the defaults',
    },
    {
      network: {
        ...both,
        send_proxy_version: 1,
        accept_proxy_timeout: 0,
        accept_proxy_trusted: ['10.0.0.0/8', '2001:db8::1'],
      },
      expected: {
        sendProxyVersion: 1,
        acceptProxy: { timeoutMs: 0, trustedSources: ['10.0.0.0/8', '2001:db8::1'] },
      },
      why: 'all of them',
    },
  ];
  for (const { network, expected, why } of cases) {
    it(`are read: ${why}`, () => {
      const document = { endpoints: [{ listen: '[::]:80', remote: 'a.example:80', network }] };
      const read = relayConfig(document, 'test').config.endpoints[0]?.network ?? {};
      const found = Object.entries(read).filter(
        ([key]) => key.endsWith('Proxy') || key.startsWith('sendProxy'),
      );
      expect(Object.fromEntries(found)).to.deep.equal(expected);
    });
  }
});
