import { expect } from 'chai';
import fc from 'fast-check';
import { ConfigError } from '../../src/config/config-error.ts';
import { addressesText, portsOf } from '../../src/config/port-config.ts';
import { parseRelayConfig, type Overrides, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { problemText } from '../../src/lib/problem.ts';

const endpoint = { listen: '[::]:80', remote: '192.0.2.1:8080' };

function parse(document: unknown, overrides?: Overrides): ParsedConfig {
  return parseRelayConfig([{ source: 'config.json', text: JSON.stringify(document) }], overrides);
}

function problems(text: string): string[] {
  try {
    parseRelayConfig([{ source: 'config.json', text }]);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problemText);
    throw error;
  }
  return [];
}

describe('relay config', () => {
  it('applies every default, in milliseconds', () => {
    expect(parse({ endpoints: [endpoint] })).to.deep.equal({
      config: {
        log: { level: 'info' },
        endpoints: [
          {
            name: '[::]:80',
            listen: { host: '::', port: 80, ip: { family: 'IPv6', text: '::', zone: '' } },
            remotes: [{ host: '192.0.2.1', port: 8080, ip: { family: 'IPv4', text: '192.0.2.1', zone: '' } }],
            balance: { strategy: 'off', weights: [1] },
            network: {
              tcp: true,
              udp: false,
              ipv6Only: false,
              sendMptcp: false,
              acceptMptcp: false,
              tcpTimeoutMs: 5000,
              udpTimeoutMs: 30_000,
              tcpKeepaliveMs: 15_000,
              tcpKeepaliveProbes: 3,
              tcpUserTimeoutMs: 60_000,
              dscp: 0,
              tcpIdleTimeoutMs: 0,
              tcpHalfCloseTimeoutMs: 300_000,
              maxConnections: 0,
              maxConnectionsPerClient: 0,
              maxWaiting: 1024,
              maxAssociations: 8192,
              allowedSources: [],
            },
          },
        ],
      },
      warnings: [],
      network: parse({ endpoints: [endpoint] }).config.endpoints[0]?.network,
      isLegacy: false,
    });
  });

  it('reads every key', () => {
    const { config } = parse({
      log: { level: 'debug', output: 'stdout' },
      network: { use_udp: true },
      endpoints: [
        {
          name: 'web',
          listen: '0.0.0.0:80',
          remote: 'a:1',
          extra_remotes: ['b:2'],
          balance: 'roundrobin: 4, 2',
          strategy: 'leastconnections',
          through: '[2001:DB8::1]:0',
          health_check: { interval: 5, healthy_threshold: 2 },
          network: {
            no_tcp: true,
            ipv6_only: true,
            tcp_timeout: 0,
            udp_timeout: 1,
            tcp_keepalive: 2,
            tcp_keepalive_probe: 9,
            tcp_idle_timeout: 600,
            tcp_user_timeout: 90,
            dscp: 46,
            tcp_half_close_timeout: 60,
            max_connections: 10,
            max_connections_per_client: 5,
            max_waiting: 20,
            max_associations: 21,
            allowed_sources: ['192.0.2.1', '2001:db8::/32'],
          },
        },
      ],
    });
    expect(config.log.level).to.equal('debug');
    expect(config.endpoints[0]).to.deep.include({
      name: 'web',
      balance: { strategy: 'leastconnections', weights: [4, 2] },
      through: { host: '2001:db8::1', port: 0, ip: parseIpAddress('2001:db8::1') },
      healthCheck: { intervalMs: 5000, timeoutMs: 2000, unhealthyThreshold: 3, healthyThreshold: 2 },
      network: {
        tcp: false,
        udp: true,
        ipv6Only: true,
        sendMptcp: false,
        acceptMptcp: false,
        tcpTimeoutMs: 0,
        udpTimeoutMs: 1000,
        tcpKeepaliveMs: 2000,
        tcpKeepaliveProbes: 9,
        tcpUserTimeoutMs: 90_000,
        dscp: 46,
        tcpIdleTimeoutMs: 600_000,
        tcpHalfCloseTimeoutMs: 60_000,
        maxConnections: 10,
        maxConnectionsPerClient: 5,
        maxWaiting: 20,
        maxAssociations: 21,
        allowedSources: ['192.0.2.1', '2001:db8::/32'],
      },
    });
  });

  const precedence = [
    { global: undefined, own: undefined, flag: undefined, expected: false, why: 'the default' },
    { global: true, own: undefined, flag: undefined, expected: true, why: 'global over the default' },
    { global: true, own: false, flag: undefined, expected: false, why: 'endpoint over global' },
    { global: false, own: false, flag: true, expected: true, why: 'command line over all' },
  ];
  for (const { global, own, flag, expected, why } of precedence) {
    it(`resolves ipv6_only: ${why}`, () => {
      const endpoints = [{ ...endpoint, network: { ipv6_only: own } }];
      const overrides = { network: flag === undefined ? {} : { ipv6_only: flag } };
      const { config } = parse({ network: { ipv6_only: global }, endpoints }, overrides);
      expect(config.endpoints[0]?.network.ipv6Only).to.equal(expected);
    });
  }

  it('treats null as absent, as Realm does', () => {
    const { config, warnings } = parse({ network: null, endpoints: [{ ...endpoint, balance: null }] });
    expect([config.endpoints.length, warnings.length]).to.deep.equal([1, 0]);
  });

  it('numbers the names of endpoints that have none and the same listen address', () => {
    const { config } = parse({ endpoints: [endpoint, endpoint, { ...endpoint, name: '[::]:80#2' }] });
    expect(config.endpoints.map(({ name }) => name)).to.deep.equal(['[::]:80', '[::]:80#3', '[::]:80#2']);
  });

  const warned = [
    { document: { netwrk: {}, endpoints: [] }, warning: 'netwrk: is an unknown key' },
    { document: { network: { ipv6only: true }, endpoints: [] }, warning: 'did you mean "ipv6_only"?' },
    {
      document: { network: { fast_open: true }, endpoints: [] },
      warning: 'network.fast_open: has no effect',
    },
    {
      document: { dns: { min_ttl: 5, max_ttl: 4 }, endpoints: [] },
      warning:
        'dns.min_ttl: is above max_ttl, so that answers are cached for 4 seconds, got 5: give at most 4, or raise max_ttl',
    },
    {
      document: { endpoints: [{ ...endpoint, through: 'nic.example' }] },
      warning:
        'endpoints[0].through: is a host name without a port, which Realm ignores, got "nic.example": write "nic.example:0", which Realm looks up, too',
    },
    { document: { endpoints: [{ ...endpoint, remotes: [] }] }, warning: 'did you mean "remote"?' },
    {
      document: { endpoints: [{ ...endpoint, through: '[2001:db8::1]:80' }] },
      warning:
        'endpoints[0].through: has a port, so each remote address can have only one connection at a time',
    },
    {
      document: {
        network: { allowed_sources: ['10.0.0.0/8'] },
        endpoints: [
          { ...endpoint, name: 'a', network: { accept_proxy: true } },
          { listen: '[::]:81', remote: '192.0.2.1:8081', range_of: 'a' },
        ],
      },
      warning:
        'endpoints[0].network.allowed_sources: is checked against the PROXY header, which any client can forge: list the trusted senders in accept_proxy_trusted',
    },
  ];
  for (const { document, warning } of warned) {
    it(`warns: ${warning}`, () => {
      const { warnings } = parse(document);
      expect(warnings.map(problemText)).to.have.length(1);
      expect(warnings.map(problemText).join()).to.contain(warning);
    });
  }

  const harmless = {
    dns: {},
    log: { output: 'stdout' },
    network: { send_proxy: false, accept_mptcp: false, send_proxy_version: 2, accept_proxy_timeout: 5 },
    endpoints: [{ ...endpoint, listen_transport: '', through: '' }],
  };
  it("accepts unsupported keys of Realm whose values change nothing, such as 'send_proxy: false'", () => {
    expect(parse(harmless).warnings).to.deep.equal([]);
  });

  const badWeight = /has a weight that is not a whole number from 0 to 255/;
  const bad = [
    { text: '', problem: 'document: is empty: add {"endpoints": [...]}' },
    { text: '{"endpoints": [}', problem: /^document: is not a JSON document: correct it: / },
    { text: '[]', problem: 'document: has the wrong type, got []: give a mapping of keys' },
    { text: '{}', problem: 'endpoints: is missing: add it' },
    { document: { endpoints: {} }, problem: 'endpoints: has the wrong type, got {}: give a list' },
    {
      document: { endpoints: [1] },
      problem: 'endpoints[0]: has the wrong type, got 1: give a mapping of keys',
    },
    { document: { endpoints: [{ remote: 'a:1' }] }, problem: 'endpoints[0].listen: is missing: add it' },
    {
      endpoint: { listen: '[::]' },
      problem: /^endpoints\[0\]\.listen: has no port, got "\[::\]": write IPV4:PORT/,
    },
    { endpoint: { remote: 'a:0' }, problem: /^endpoints\[0\]\.remote: has no port to dial, got "a:0"/ },
    { endpoint: { remote: 5 }, problem: 'endpoints[0].remote: has the wrong type, got 5: give a string' },
    {
      endpoint: { extra_remotes: ['a:1', 'b'] },
      problem: /^endpoints\[0\]\.extra_remotes\[1\]: has no port/,
    },
    {
      endpoint: { balance: 'roundrobn: 1' },
      problem: /balance: is not a known strategy.*did you mean "roundrobin"\?/,
    },
    { endpoint: { balance: 'leastconn: 1' }, problem: /balance: is not a known strategy/ },
    { endpoint: { balance: 'roundrobin' }, problem: /balance: has no weights/ },
    { endpoint: { balance: 'roundrobin: 1, 1000001' }, problem: badWeight },
    { endpoint: { balance: 'roundrobin: 1: 2' }, problem: badWeight },
    { endpoint: { balance: 'roundrobin: 1.5, 2' }, problem: badWeight },
    { endpoint: { balance: 'roundrobin: 1, x' }, problem: badWeight },
    {
      endpoint: { through: 'nic.example:x' },
      problem: /through: has no valid port, got "nic.example:x": write IP, IP:PORT or HOST:PORT/,
    },
    {
      endpoint: { listen_transport: 'tls' },
      problem: /^endpoints\[0\]\.listen_transport: has tls without a certificate, got "tls": add cert=FILE/,
    },
    {
      network: { use_udp: 'yes' },
      problem: 'endpoints[0].network.use_udp: has the wrong type, got "yes": give true or false',
    },
    { network: { no_tcp: true }, problem: /network: switches off both TCP and UDP: set use_udp/ },
    {
      network: { tcp_timeout: -1 },
      problem: /tcp_timeout: is out of range, got -1: give a whole number from 0 to/,
    },
    {
      network: { tcp_timeout: 1.5 },
      problem: /tcp_timeout: has the wrong type, got 1.5: give a whole number/,
    },
    { network: { tcp_timeout: 2 ** 65 }, problem: /tcp_timeout: is out of range/ },
    { network: { max_waiting: 65_537 }, problem: /give a whole number from 0 to 65536/ },
    { network: { max_associations: -1 }, problem: /give a whole number from 0 to 1000000/ },
    {
      network: { tcp_keepalive_probe: 0 },
      problem:
        /tcp_keepalive_probe: is out of range, got 0: give a whole number from 1 to 127, or set tcp_keepalive to 0/,
    },
    {
      network: { send_proxy: true, send_proxy_version: 3 },
      problem: /send_proxy_version: is no version of the PROXY protocol, got 3: set it to 1 or 2/,
    },
    {
      network: { accept_proxy_trusted: ['10.0.0.0/33'] },
      problem: /accept_proxy_trusted\[0\]: is not a range of IP addresses, got "10.0.0.0\/33"/,
    },
    { network: { accept_proxy_trusted: [] }, problem: /accept_proxy_trusted: is empty: name a source/ },
    {
      network: { allowed_sources: ['192.0.2.1', '2001:db8::/129'] },
      problem:
        /^endpoints\[0\]\.network\.allowed_sources\[1\]: is not a range of IP addresses, got "2001:db8::\/129": write an address or a range/,
    },
    {
      network: { allowed_sources: [] },
      problem: /allowed_sources: is empty: .*remove the key to serve every client/,
    },
    {
      network: { allowed_sources: '10.0.0.0/8' },
      problem: /allowed_sources: has the wrong type.*give a list/,
    },
    {
      network: { allowed_sources: ['a.example'] },
      problem: /is not a range of IP addresses, got "a.example"/,
    },
    { document: { log: { level: 'INFO' }, endpoints: [] }, problem: /log.level: .*did you mean "info"\?/ },
    { document: { log: { output: 1 }, endpoints: [] }, problem: /log.output: has the wrong type/ },
    {
      document: { dns: { mode: 'ipv4_onyl' }, endpoints: [] },
      problem: /dns.mode: .*did you mean "ipv4_only"\?/,
    },
    {
      document: { dns: { protocol: 'doh' }, endpoints: [] },
      problem: /dns.protocol: .*use one of tcp, udp, tcp_and_udp/,
    },
    {
      document: { dns: { nameservers: ['192.0.2.1'] }, endpoints: [] },
      problem: /dns.nameservers\[0\]: has no port/,
    },
    { document: { dns: { cache_size: -1 }, endpoints: [] }, problem: /dns.cache_size: is out of range/ },
    {
      document: { endpoints: [{ ...endpoint, listen: '[::ffff:1.2.3.4]:80', network: { ipv6_only: true } }] },
      problem: /listen: is an IPv4-mapped address, which cannot be bound with ipv6_only.*listen on 1.2.3.4/,
    },
    {
      document: {
        endpoints: [
          { ...endpoint, name: 'a' },
          { ...endpoint, name: 'a' },
        ],
      },
      problem: 'endpoints[1].name: is used twice, got "a": give each its own name',
    },
  ];
  for (const { text, document, endpoint: fields, network, problem } of bad) {
    const input = text ?? JSON.stringify(document ?? { endpoints: [{ ...endpoint, ...fields, network }] });
    it(`rejects ${input}`, () => {
      const [first = '', ...more] = problems(input);
      expect(more).to.deep.equal([]);
      if (typeof problem === 'string') expect(first).to.equal(problem);
      else expect(first).to.match(problem);
    });
  }

  it('adds the ports of endpoints with range_of to the endpoint that they name', () => {
    const ports = [80, 81, 90].map((port) => ({
      listen: `[::]:${String(port)}`,
      remote: `a.example:${String(port + 8000)}`,
    }));
    const [first, ...more] = ports;
    const { config, warnings } = parse({
      endpoints: [
        { ...more[0], range_of: 'web' },
        { ...first, name: 'web' },
        { ...more[1], range_of: 'web' },
      ],
    });
    expect(warnings).to.deep.equal([]);
    expect(config.endpoints).to.have.length(1);
    const [web] = config.endpoints;
    expect(web?.name).to.equal('web');
    expect(web && portsOf(web).map(({ listen, remotes }) => [listen.port, remotes[0]?.port])).to.deep.equal([
      [80, 8080],
      [81, 8081],
      [90, 8090],
    ]);
    expect(web && addressesText(portsOf(web).map(({ listen }) => listen))).to.equal('[::]:80-81,90');
  });

  const misplaced = [
    { range_of: 'wbe', expected: 'endpoints[1].range_of: names no endpoint, got "wbe": give the name' },
    {
      listen: '[::]:80',
      expected: 'listen: is no further port of endpoint "web", got "[::]:80": use another port of ::',
    },
    { listen: '[::1]:81', expected: 'is no further port of endpoint "web"' },
    {
      remote: 'b.example:1',
      expected: 'remote: has other hosts than endpoint "web", got "b.example": use a.example',
    },
    { extra_remotes: ['a.example:2'], expected: 'has other hosts than endpoint "web"' },
  ];
  for (const { expected, ...wrong } of misplaced) {
    it(`rejects a range_of with ${JSON.stringify(wrong)}`, () => {
      const web = { name: 'web', listen: '[::]:80', remote: 'a.example:80' };
      const other = { range_of: 'web', listen: '[::]:81', remote: 'a.example:81', ...wrong };
      expect(problems(JSON.stringify({ endpoints: [web, other] })).join()).to.contain(expected);
    });
  }

  it('reports every problem at once, each with its file', () => {
    const text = JSON.stringify({ network: { use_udp: 1 }, endpoints: [{ listen: 'x' }, { remote: 'y' }] });
    expect(() => parseRelayConfig([{ source: '/etc/relay.json', text }]))
      .to.throw(ConfigError)
      .with.property('message')
      .that.matches(/^(\/etc\/relay\.json: .+\n){4}\/etc\/relay\.json: .+$/);
  });

  it('never crashes: any JSON is a configuration, or a list of problems', () => {
    const anyEndpoint = fc.record(
      { listen: fc.jsonValue(), remote: fc.jsonValue(), balance: fc.jsonValue(), network: fc.jsonValue() },
      { requiredKeys: [] },
    );
    const document = fc.oneof(
      fc.jsonValue(),
      fc.record({ endpoints: fc.array(fc.oneof(anyEndpoint, fc.jsonValue())) }),
    );
    fc.assert(
      fc.property(document, (value) => {
        expect(problems(JSON.stringify(value))).to.be.an('array');
      }),
    );
  });
});
