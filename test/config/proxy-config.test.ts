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
    {
      network: { use_udp: true, send_proxy: true, send_proxy_udp: true, send_proxy_every_datagram: true },
      expected: { sendProxyVersion: 2, sendProxyUdp: true, sendProxyEveryDatagram: true },
      why: 'for UDP',
    },
    { network: { send_proxy_udp: true }, expected: {}, why: 'none without send_proxy' },
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

  const udpCases = [
    { network: { send_proxy: true }, key: 'send_proxy', why: 'headers that UDP does not get' },
    { network: { accept_proxy: true }, key: 'accept_proxy', why: 'headers that are not read of UDP' },
    { network: { send_proxy_udp: true }, key: 'send_proxy_udp', why: 'headers that are not sent at all' },
    { network: { send_proxy: true, send_proxy_udp: true }, key: undefined, why: 'nothing if UDP gets them' },
    { network: { send_proxy: true, use_udp: false }, key: undefined, why: 'nothing without UDP' },
  ];
  for (const { network, key, why } of udpCases) {
    it(`give a warning of ${why}`, () => {
      const document = {
        endpoints: [{ listen: '[::]:80', remote: 'a.example:80', network: { use_udp: true, ...network } }],
      };
      const paths = relayConfig(document, 'test').warnings.map(({ path }) => path.join('.'));
      expect(paths).to.deep.equal(key === undefined ? [] : [`endpoints.0.network.${key}`]);
    });
  }

  it('of version 1 are rejected for UDP, which they cannot state', () => {
    const network = { use_udp: true, send_proxy: true, send_proxy_udp: true, send_proxy_version: 1 };
    const document = { endpoints: [{ listen: '[::]:80', remote: 'a.example:80', network }] };
    expect(() => relayConfig(document, 'test')).to.throw(
      'endpoints[0].network.send_proxy_version: is a version of the PROXY protocol that cannot state UDP clients, got 1: set it to 2, or send_proxy_udp to false',
    );
  });
});
