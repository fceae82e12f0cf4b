import { expect } from 'chai';
import { relayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { problemText } from '../../src/lib/problem.ts';

const base = { listen: '[::]:80', remote: 'a.example:80' };

/** A file with one endpoint. @throws ConfigError */
function parse(endpoint: object): ParsedConfig {
  return relayConfig({ endpoints: [{ ...base, ...endpoint }] }, 'test');
}

describe('balance in the relay config', () => {
  const balances = [
    { balance: 'off', expected: { strategy: 'off', weights: [1, 1] } },
    { balance: 'off: 4, 2', expected: { strategy: 'off', weights: [1, 1] } },
    { balance: 'iphash: 255,0', expected: { strategy: 'iphash', weights: [255, 0] } },
    { balance: ' roundrobin :4 , 2 ', expected: { strategy: 'roundrobin', weights: [4, 2] } },
    { balance: 'roundrobin: 4, 2,', expected: { strategy: 'roundrobin', weights: [4, 2] } },
    { balance: 'roundrobin: ,4,,2', expected: { strategy: 'roundrobin', weights: [4, 2] } },
    { balance: 'roundrobin: +4, 0002', expected: { strategy: 'roundrobin', weights: [4, 2] } },
    {
      balance: 'roundrobin: 1000, 500',
      expected: { strategy: 'roundrobin', weights: [1000, 500] },
      warning: 'has a weight above 255, which Realm leaves out',
    },
    {
      balance: 'roundrobin: 4',
      expected: { strategy: 'roundrobin', weights: [4, 0] },
      warning: 'has 1 weight for 2',
    },
    {
      balance: 'roundrobin:',
      expected: { strategy: 'roundrobin', weights: [0, 0] },
      warning: 'has 0 weights for 2',
    },
    {
      balance: 'iphash: 1, 2, 3',
      expected: { strategy: 'iphash', weights: [1, 2] },
      warning: 'has 3 weights for 2',
    },
  ];
  for (const { balance, expected, warning = '' } of balances) {
    it(`reads balance ${JSON.stringify(balance)}${warning === '' ? '' : `, and warns: ${warning}`}`, () => {
      const { config, warnings } = parse({ extra_remotes: ['b:2'], balance });
      expect(config.endpoints[0]?.balance).to.deep.equal(expected);
      expect(warnings.map(problemText).join()).to.contain(warning);
      expect(warnings.length).to.equal(warning === '' ? 0 : 1);
    });
  }
});

describe('numbers in the relay config', () => {
  const capped = [
    { key: 'tcp_timeout', value: 4_294_967_296, field: 'tcpTimeoutMs', applies: 2_147_483_000 },
    { key: 'udp_timeout', value: 2_147_484, field: 'udpTimeoutMs', applies: 2_147_483_000 },
    { key: 'tcp_keepalive', value: 40_000, field: 'tcpKeepaliveMs', applies: 32_767_000 },
    { key: 'tcp_keepalive_probe', value: 2 ** 64, field: 'tcpKeepaliveProbes', applies: 127 },
  ];
  for (const { key, value, field, applies } of capped) {
    it(`takes ${key} ${String(value)} for the most that has an effect, and warns`, () => {
      const { config, warnings } = parse({ network: { [key]: value } });
      expect(config.endpoints[0]?.network).to.have.property(field, applies);
      expect(warnings.map(problemText).join()).to.match(
        new RegExp(
          `^endpoints\\[0\\]\\.network\\.${key}: is more than has an effect, so that [0-9]+ applies`,
        ),
      );
    });
  }

  for (const network of [
    { tcp_keepalive: 0, tcp_keepalive_probe: 0 },
    { no_tcp: true, use_udp: true, tcp_keepalive_probe: 0 },
    { send_proxy_version: 3 },
  ]) {
    it(`accepts ${JSON.stringify(network)}, which has no effect`, () => {
      expect(parse({ network }).warnings).to.deep.equal([]);
    });
  }
});
