import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { ConfigError } from '../../src/config/config-error.ts';
import type { ConfigText } from '../../src/config/config-text.ts';
import { environmentConfig } from '../../src/config/environment-config.ts';
import { parseRelayConfig } from '../../src/config/parsed-config.ts';
import { problemText } from '../../src/lib/problem.ts';

function texts(...each: string[]): ConfigText[] {
  return each.map((text, index) => ({ source: `${String(index + 1)}.toml`, text }));
}

function refusal(...each: string[]): string {
  try {
    parseRelayConfig(texts(...each));
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

/** Listen and first remote of every endpoint. */
function pairs(...each: string[]): string[][] {
  const { config } = parseRelayConfig(texts(...each));
  return config.endpoints.map(({ listen, remotes: [remote] }) => [
    `${listen.host} ${String(listen.port)}`,
    `${remote?.host ?? ''} ${String(remote?.port)}`,
  ]);
}

const toml = `
# a comment
[log]
level = "debug"

[network]
use_udp = true

[[endpoints]]
listen = "[::]:80"
remote = "192.0.2.1:8080"
extra_remotes = ["192.0.2.2:8080"]
balance = "roundrobin: 2, 1"
[endpoints.network]
ipv6_only = true

[[endpoints]]
listen = "0.0.0.0:80"
remote = "192.0.2.1:8080"
`;

describe('config text', () => {
  it('is TOML, with the same meaning as JSON', () => {
    const endpoint = { listen: '[::]:80', remote: '192.0.2.1:8080', extra_remotes: ['192.0.2.2:8080'] };
    const json = {
      log: { level: 'debug' },
      network: { use_udp: true },
      endpoints: [
        { ...endpoint, balance: 'roundrobin: 2, 1', network: { ipv6_only: true } },
        { listen: '0.0.0.0:80', remote: '192.0.2.1:8080' },
      ],
    };
    expect(parseRelayConfig(texts(toml))).to.deep.equal(parseRelayConfig(texts(JSON.stringify(json))));
  });

  it('means the same in TOML as in JSON, whatever its endpoints are', () => {
    const port = fc.integer({ min: 1, max: 65_535 });
    const endpoint = fc.record({
      listen: port.map((each) => `[::]:${String(each)}`),
      remote: port.map((each) => `a.example:${String(each)}`),
      extra_remotes: fc.array(port.map((each) => `192.0.2.1:${String(each)}`)),
      network: fc.record({ use_udp: fc.boolean(), tcp_timeout: fc.nat(100) }, { requiredKeys: [] }),
    });
    fc.assert(
      fc.property(fc.record({ endpoints: fc.array(endpoint) }), (document) => {
        const [inToml, inJson] = [stringify(document), JSON.stringify(document)];
        expect(parseRelayConfig(texts(inToml))).to.deep.equal(parseRelayConfig(texts(inJson)));
      }),
    );
  });

  const lists = [
    '[{"level":"warn"},[],[null,true],[["[::]:80","a:1",["b:2"],"roundrobin: 2, 1",null,null,null,null,null,[null,true]]]]',
    '{"log":["warn"],"endpoints":[["[::]:80","a:1",["b:2"],"roundrobin: 2, 1",null,null,null,null,null,{"use_udp":true}]]}',
  ];
  for (const text of lists) {
    it(`may have lists in place of tables, by position as in Realm, and warns: ${text}`, () => {
      const { config, warnings } = parseRelayConfig(texts(text));
      expect([
        config.log.level,
        config.endpoints[0]?.balance.weights,
        config.endpoints[0]?.network.udp,
      ]).to.deep.equal(['warn', [2, 1], true]);
      for (const { what } of warnings) expect(what).to.contain('is a list in place of a table');
      expect(warnings).to.not.be.empty;
    });
  }

  it('has no list in place of a table with more values than the table has keys', () => {
    expect(refusal('{"endpoints": [], "log": ["warn", "stdout", 1]}')).to.match(
      /log: has the wrong type, got \["warn","stdout",1\]: give a mapping of keys/,
    );
  });

  it('may have a whole number that needs 64 bits, in TOML, too', () => {
    const { config } = parseRelayConfig(
      texts(`${toml}[endpoints.network]\ntcp_timeout = 9223372036854775807\nuse_udp = false`),
    );
    expect(config.endpoints.map(({ network }) => network.tcpTimeoutMs)).to.deep.equal([5000, 2_147_483_000]);
  });

  const refused = [
    {
      text: '[[endpoints]]\nlisten = "[::]:80"\nremote = \n',
      message: '1.toml: document: is neither TOML nor JSON: correct line 3, column 10: invalid value',
    },
    {
      text: '{"endpoints": [,]}',
      message: /^1\.toml: document: is not a JSON document: correct it: .*endpoints/,
    },
    { text: '# nothing\n', message: '1.toml: endpoints: is missing: add it' },
    { text: ' \n', message: '1.toml: document: is empty: add {"endpoints": [...]}' },
    {
      text: 'network = 2026-11-24\nendpoints = []',
      message: '1.toml: network: has the wrong type, got "2026-11-24": give a mapping of keys',
    },
    {
      text: '[[endpoints]]\nlisten = 80\nremote = "a:1"',
      message: '1.toml: endpoints[0].listen: has the wrong type, got 80: give a string',
    },
  ];
  for (const { text, message } of refused) {
    it(`is rejected with the position of the error: ${JSON.stringify(text)}`, () => {
      if (typeof message === 'string') expect(refusal(text)).to.equal(message);
      else expect(refusal(text)).to.match(message);
    });
  }

  it('never crashes: any mutation of a valid TOML is a configuration, or a list of problems', () => {
    const mutated = fc
      .tuple(fc.nat(toml.length), fc.nat(20), fc.string({ maxLength: 10 }))
      .map(([at, cut, put]) => toml.slice(0, at) + put + toml.slice(at + cut));
    fc.assert(
      fc.property(mutated, (text) => {
        expect(refusal(text)).to.not.contain('    at ');
      }),
      { numRuns: 1000 },
    );
  });
});

describe('several config texts', () => {
  const first = '[network]\ntcp_timeout = 1\n[[endpoints]]\nlisten = "[::]:1"\nremote = "a:1"';
  const second =
    '{"log": {"level": "warn"}, "network": {"tcp_timeout": 2, "use_udp": true}, "endpoints": [{"listen": "[::]:2", "remote": "b:2"}]}';

  it('are one configuration: all endpoints, and of every other field the first value that is set', () => {
    const { config } = parseRelayConfig(texts(first, second));
    expect(config.log.level).to.equal('warn');
    expect(config.endpoints.map(({ listen, network }) => [listen.port, network])).to.deep.equal(
      [1, 2].map((port) => [port, { ...config.endpoints[0]?.network, tcpTimeoutMs: 1000, udp: true }]),
    );
  });

  it('are rejected with every problem of every file', () => {
    expect(refusal('endpoints = 1', first, '[log]', '{').split('\n')).to.have.length(3);
    expect(refusal(first, '[log]')).to.equal('2.toml: endpoints: is missing: add it');
  });

  it('may not use a name twice', () => {
    const named = (port: number): string =>
      `[[endpoints]]\nname = "a"\nlisten = "[::]:${String(port)}"\nremote = "a:1"`;
    expect(refusal(named(1), named(2))).to.equal(
      '2.toml: endpoints[0].name: is used twice, got "a": give each its own name',
    );
  });
});

describe('legacy config text', () => {
  const legacy = {
    listening_addresses: ['0.0.0.0'],
    listening_ports: ['8080'],
    remote_addresses: ['a.example'],
    remote_ports: ['80'],
  };
  const meant = [
    { fields: {}, expected: [['0.0.0.0 8080', 'a.example 80']], why: 'one of each' },
    {
      fields: { listening_ports: ['1-3'], remote_ports: ['11-12'] },
      expected: [
        ['0.0.0.0 1', 'a.example 11'],
        ['0.0.0.0 2', 'a.example 12'],
        ['0.0.0.0 3', 'a.example 11'],
      ],
      why: 'the first entry is used if a list is shorter',
    },
    {
      fields: {
        listening_addresses: ['::', '[::1]'],
        listening_ports: ['1', '2'],
        remote_addresses: ['::1', 'b'],
      },
      expected: [
        [':: 1', '::1 80'],
        ['::1 2', 'b 80'],
      ],
      why: 'lists are paired, and IPv6 needs no brackets',
    },
    {
      fields: { listening_ports: ['+01-002'], remote_ports: ['080'] },
      expected: [
        ['0.0.0.0 1', 'a.example 80'],
        ['0.0.0.0 2', 'a.example 80'],
      ],
      why: 'zeros and a plus sign may come before a port',
    },
    {
      fields: { listening_ports: ['65534-65535'] },
      expected: [
        ['0.0.0.0 65534', 'a.example 80'],
        ['0.0.0.0 65535', 'a.example 80'],
      ],
      why: 'a range may end at the last port, which Realm cannot',
    },
  ];
  for (const { fields, expected, why } of meant) {
    it(`becomes endpoints of today: ${why}`, () => {
      const text = JSON.stringify({ ...legacy, ...fields });
      expect(pairs(text)).to.deep.equal(expected);
      expect(parseRelayConfig(texts(text)).isLegacy).to.equal(true);
    });
  }

  it('numbers 20,000 endpoints of one port without counting each from the start', () => {
    const ports = Array<string>(20_000).fill('8080');
    const { config } = parseRelayConfig(texts(JSON.stringify({ ...legacy, listening_ports: ports })));
    expect(config.endpoints.at(-1)?.name).to.equal('0.0.0.0:8080#20000');
  }); // takes minutes if it counts

  const refused = [
    {
      fields: { listening_ports: ['5-3'], remote_ports: ['x', 70_000] },
      message:
        /listening_ports\[0\]: is neither a port nor a range of ports, got "5-3".*\n.*remote_ports\[0\]: is neither.*\n.*remote_ports\[1\]: has the wrong type/,
    },
    {
      fields: { listening_ports: Array<string>(100).fill('1-65535') },
      message: /^1.toml: listening_ports: has 6553500 ports: list at most 65536 in a file$/,
    },
    {
      fields: { remote_ports: Array<string>(2_500).fill('x') },
      message:
        /remote_ports\[999\]: .*\n1.toml: document: has 1500 more problems: correct those above first$/,
    },
    { fields: { listening_ports: ['1-2-3'] }, message: /listening_ports\[0\]: is neither a port nor/ },
    { fields: { remote_addresses: undefined }, message: /remote_addresses: is missing: add it/ },
    { fields: { listening_addresses: [] }, message: /listening_addresses: is empty: list at least one/ },
    {
      fields: { remote_addresses: ['a:80'] },
      message: /remote_addresses\[0\]: is not an address, got "a:80"/,
    },
    { fields: { remote_ports: ['0'] }, message: /endpoints\[0\]\.remote: has no port to dial/ },
  ];
  for (const { fields, message } of refused) {
    it(`is rejected: ${message.source}`, () => {
      expect(refusal(JSON.stringify({ ...legacy, ...fields }))).to.match(message);
    });
  }
});

describe('REALM_CONF', () => {
  it('is a configuration whose global network has no effect, as in Realm', () => {
    const config = environmentConfig(toml);
    if (!('parsed' in config)) throw new Error('ignored');
    expect(config.parsed.config.log.level).to.equal('debug');
    expect(
      config.parsed.config.endpoints.map(({ network: { udp, ipv6Only } }) => [udp, ipv6Only]),
    ).to.deep.equal([
      [false, true],
      [false, false],
    ]);
    expect(config.parsed.warnings.map(problemText)).to.deep.equal([
      'network: has no effect in REALM_CONF: write it into each endpoint',
    ]);
  });

  for (const text of ['', 'nonsense', '[log]', '{"endpoints": {}}']) {
    it(`is ignored if it is ${JSON.stringify(text)}, with the reason`, () => {
      expect(environmentConfig(text)).to.have.property('ignored').with.length(1);
    });
  }

  it('is rejected if it is a configuration that is not valid', () => {
    expect(() => environmentConfig('{"endpoints": [{"listen": "x", "remote": "a:1"}]}')).to.throw(
      ConfigError,
      /^REALM_CONF: endpoints\[0\]\.listen: has no port/,
    );
  });
});
