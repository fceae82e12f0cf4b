import { expect } from 'chai';
import fc from 'fast-check';
import { parseRealmRelay } from '../../../src/api/parse.ts';
import type { Relay } from '../../../src/api/relay.ts';
import type { EndpointSpec } from '../../../src/api/schema/endpoint.ts';
import { apiVersion, kind, type NetworkSpec } from '../../../src/api/schema/realm-relay.ts';
import { sourceDocument } from '../../../src/config/config-text.ts';
import { importedRelay } from '../../../src/config/import/imported-relay.ts';
import { portsOf } from '../../../src/config/port-config.ts';
import { parseRelayConfig } from '../../../src/config/parsed-config.ts';
import { configText } from '../../../src/desired/config-map.ts';
import { problemText } from '../../../src/lib/problem.ts';
import { goldenRelays } from '../../desired/golden-relays.ts';
import { parsed, realmRelay } from '../../support/realm-relays.ts';

function imported(text: string) {
  return importedRelay([sourceDocument({ source: 'realm.toml', text })]);
}

function relayOf(text: string): Relay {
  return parsed({ apiVersion, kind, metadata: { name: 'web' }, spec: imported(text).spec });
}

/** The relay's behaviour at each port under a configuration, regardless of the names and the grouping of its endpoints. */
function meaning(text: string): unknown {
  const { config } = parseRelayConfig([{ source: 'realm.toml', text }]);
  return {
    level: config.log.level,
    ports: config.endpoints.flatMap((endpoint) => {
      const { name: _name, range: _range, balance, listen: _listen, remotes, ...settings } = endpoint;
      const choice = remotes.length > 1 && { balance }; // with one remote there is no choice
      return portsOf(endpoint).map((port) => ({ ...settings, ...choice, ...port }));
    }),
  };
}

describe('importedRelay', () => {
  const configs = {
    'a file of Realm': `
      [log]
      level = "warn"
      [network]
      use_udp = true
      tcp_timeout = 10
      send_proxy = true
      send_proxy_version = 1
      [[endpoints]]
      listen = "0.0.0.0:5000"
      remote = "1.1.1.1:443"
      [[endpoints]]
      listen = "[::]:443"
      remote = "a.example:1"
      extra_remotes = ["b.example:2", "[2001:db8::1]:3"]
      balance = "roundrobin: 4, 0, 1"
      through = "192.0.2.7"
      health_check = { interval = 5, unhealthy_threshold = 1 }
      network = { use_udp = false, ipv6_only = true, send_proxy = false, tcp_keepalive = 0 }
      [[endpoints]]
      listen = "[::]:444"
      remote = "a.example:1"
      remote_transport = "ws;host=a.example;path=/x;tls;sni=a.example;alpn=h2,http/1.1;insecure"
      network = { send_proxy_version = 2 }`,
    strategies: `
      [[endpoints]]
      listen = "[::]:1"
      remote = "a:1"
      extra_remotes = ["b:1"]
      [[endpoints]]
      listen = "[::]:2"
      remote = "a:1"
      extra_remotes = ["b:1"]
      balance = "iphash: 1, 7"
      [[endpoints]]
      listen = "[::]:3"
      remote = "a:1"
      extra_remotes = ["b:1"]
      balance = "roundrobin: 1, 7"
      strategy = "leastconnections"
      [[endpoints]]
      listen = "[::]:4"
      remote = "a:1"
      balance = "roundrobin: 9"`,
    'trusted PROXY headers, for all endpoints and for one': `
      [network]
      accept_proxy = true
      accept_proxy_trusted = ["10.0.0.0/8"]
      [[endpoints]]
      listen = "[::]:1"
      remote = "a:1"
      [[endpoints]]
      listen = "[::]:2"
      remote = "a:1"
      network = { accept_proxy_timeout = 9, accept_proxy_trusted = ["192.0.2.1", "2001:db8::/32"] }
      [[endpoints]]
      listen = "[::]:3"
      remote = "b:1"
      network = { accept_proxy = false }`,
    'allowed clients, of all endpoints and of one': `
      [network]
      allowed_sources = ["10.0.0.0/8", "2001:db8::1"]
      [[endpoints]]
      listen = "[::]:1"
      remote = "a:1"
      [[endpoints]]
      listen = "[::]:2"
      remote = "a:1"
      network = { allowed_sources = ["0.0.0.0/0", "::/0"] }`,
    'legacy JSON': JSON.stringify({
      listening_addresses: ['0.0.0.0', '::'],
      listening_ports: ['8000-8299', '8500', '9000'],
      remote_addresses: ['192.0.2.1'],
      remote_ports: ['9000-9299', '9500'],
    }),
  };

  for (const [name, text] of Object.entries(configs)) {
    it(`keeps its meaning when it is rendered: ${name}`, () => {
      expect(meaning(configText(relayOf(text)))).to.deep.equal(meaning(text));
    });
  }

  for (const [name, relay] of Object.entries(goldenRelays)) {
    it(`restores the RealmRelay that was rendered: ${name}`, () => {
      expect(configText(relayOf(configText(relay)))).to.equal(configText(relay));
    });
  }

  it('restores any RealmRelay that was rendered', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(endpoints, { selector: ({ name }) => name, minLength: 1, maxLength: 4 }),
        networks,
        (list, network) => {
          const { relay, problems } = parseRealmRelay(realmRelay(list, { network }));
          fc.pre(relay !== undefined && problems.length === 0);
          const text = configText(relay);
          expect(configText(relayOf(text))).to.equal(text);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('writes only fields that differ from the defaults, and the global table once for all endpoints', () => {
    expect(imported(configs['a file of Realm']).spec).to.deep.equal({
      logLevel: 'warn',
      network: { udp: true, tcpTimeoutSeconds: 10, sendProxy: { enabled: true, version: 1 } },
      endpoints: [
        {
          name: 'both-5000-v4',
          listen: { address: '0.0.0.0', port: 5000 },
          remotes: [{ address: '1.1.1.1', port: 443 }],
        },
        {
          name: 'tcp-443-v6',
          listen: { address: '::', port: 443 },
          remotes: [
            { address: 'a.example', port: 1, weight: 4 },
            { address: 'b.example', port: 2, weight: 0 },
            { address: '2001:db8::1', port: 3 },
          ],
          through: '192.0.2.7',
          healthCheck: { intervalSeconds: 5, unhealthyThreshold: 1 },
          network: { ipv6Only: true, udp: false, tcpKeepaliveSeconds: 0, sendProxy: { enabled: false } },
        },
        {
          name: 'both-444',
          listen: { address: '::', port: 444 },
          remotes: [{ address: 'a.example', port: 1 }],
          remoteTransport: {
            tls: { serverName: 'a.example', alpn: ['h2', 'http/1.1'], insecure: true },
            webSocket: { host: 'a.example', path: '/x' },
          },
          network: { sendProxy: { version: 2 } },
        },
      ],
    });
  });

  it('joins consecutive ports to ranges, if their remote ports increase along or stay the same', () => {
    const { endpoints: listed } = imported(configs['legacy JSON']).spec;
    expect(listed.map(({ listen, remotes }) => [listen, remotes])).to.deep.equal([
      [{ address: '0.0.0.0', port: 8000 }, [{ address: '192.0.2.1', port: 9000 }]],
      [{ address: '::', port: 8001 }, [{ address: '192.0.2.1', port: 9001 }]],
      [{ address: '0.0.0.0', port: 8002, endPort: 8299 }, [{ address: '192.0.2.1', port: 9002 }]],
      [{ address: '0.0.0.0', port: 8500 }, [{ address: '192.0.2.1', port: 9500 }]],
      [{ address: '0.0.0.0', port: 9000 }, [{ address: '192.0.2.1', port: 9000 }]],
    ]);
  });

  const legacyRange = (range: string): string =>
    JSON.stringify({
      listening_addresses: ['0.0.0.0'],
      listening_ports: [range],
      remote_addresses: ['192.0.2.1'],
      remote_ports: [range],
    });

  it('leaves the Service out if the ports do not fit into one, so that it is split, and notes it', () => {
    const { spec, warnings } = imported(legacyRange('20000-29999'));
    expect(spec.service).to.deep.equal({ enabled: false });
    expect(spec.endpoints.map(({ listen }) => listen)).to.deep.equal([
      { address: '0.0.0.0', port: 20_000, endPort: 29_999 },
    ]);
    expect(warnings.map(problemText)).to.deep.equal([
      'listening_ports: have 10000 ports, TCP and UDP counted apart, of which a Service can have 512, so that they become several RealmRelays: make it one RealmRelay with service.enabled: false and workload.hostNetwork: true if clients reach the ports at the nodes',
    ]);
    expect(imported(legacyRange('20000-20511'))).to.deep.include({ warnings: [] });
    expect(imported(legacyRange('20000-20511')).spec).to.not.have.property('service');
  });

  it('splits ranges that are longer than an endpoint may be', () => {
    const { endpoints: listed } = imported(legacyRange('20000-36384')).spec;
    expect(listed.map(({ listen: { port, endPort } }) => [port, endPort])).to.deep.equal([
      [20_000, 36_383],
      [36_384, undefined],
    ]);
  });

  it('keeps a range with listen_end_port and the ports that stay', () => {
    const range = {
      listen: '[::]:8000',
      listen_end_port: 8004,
      remote: '192.0.2.1:9000',
      extra_remotes: ['192.0.2.2:9000'],
      fixed_remote_ports: [false, true],
    };
    const [listed] = imported(JSON.stringify({ endpoints: [range] })).spec.endpoints;
    expect(listed?.listen).to.deep.equal({ address: '::', port: 8000, endPort: 8004 });
    expect(listed?.remotes).to.deep.equal([
      { address: '192.0.2.1', port: 9000 },
      { address: '192.0.2.2', port: 9000, fixedPort: true },
    ]);
  });

  it('reports a source address that has a port or a name', () => {
    const through = (text: string): string[] => {
      const endpoints = [{ listen: '[::]:80', remote: 'a.example:1', through: text }];
      return imported(JSON.stringify({ endpoints })).warnings.map(problemText);
    };
    const both = 'has a port or a host name, which a RealmRelay does not support';
    expect(through('192.0.2.7:0').join()).to.not.contain(both);
    expect(through('192.0.2.7:9').join()).to.contain(`through: ${both}, got "192.0.2.7:9"`);
    expect(through('nic.example:0').join()).to.contain(`through: ${both}, got "nic.example"`);
  });

  it('does not join endpoints that have names or limits', () => {
    const two = (extra: (port: number) => object): string =>
      JSON.stringify({
        endpoints: [1, 2].map((each) => ({ listen: `[::]:${String(each)}`, remote: 'a:9', ...extra(each) })),
      });
    const lastPorts = (text: string) => imported(text).spec.endpoints.map(({ listen }) => listen.endPort);
    expect(lastPorts(two(() => ({})))).to.deep.equal([2]);
    expect(lastPorts(two((each) => ({ name: `n${String(each)}` })))).to.deep.equal([undefined, undefined]);
    expect(lastPorts(two(() => ({ network: { max_connections: 5 } })))).to.deep.equal([undefined, undefined]);
    const perClient = two(() => ({ network: { max_connections_per_client: 5 } }));
    expect(lastPorts(perClient)).to.deep.equal([undefined, undefined]);
  });

  it('accepts keys that it leaves out, and reports each with its remedy', () => {
    const text = `
      denied_destinations = ["10.0.0.0/8"]
      [log]
      output = "/var/log/realm.log"
      [dns]
      mode = "ipv4_only"
      [network]
      zero_copy = true
      max_associations = 9
      [[endpoints]]
      name = "Web site, main entrance"
      listen = "192.0.2.1:80"
      remote = "a.example:1"
      extra_remotes = ["127.0.0.1:2"]
      through = "192.0.2.7"
      interface = "eth1"
      listen_transport = "tls;servername=a.example;ocsp=/ocsp;optional"
      network = { max_associations = 7, send_mptcp = true, accept_mptcp = true }`;
    expect(imported(text).warnings.map(problemText)).to.deep.equal([
      'network.zero_copy: has no effect: remove it',
      'log.output: has no field in a RealmRelay and is left out, got "/var/log/realm.log": read the log with kubectl logs: Pods write it to standard output',
      "dns: has no field in a RealmRelay and is left out: Pods use the cluster's DNS: configure it there",
      "denied_destinations: has no field in a RealmRelay and is left out: the operator's --denied-destinations applies to every relay",
      'network.max_associations: has no field in a RealmRelay and is left out, got 9: each Pod keeps 8192 associations of an endpoint',
      'endpoints[0].network.max_associations: has no field in a RealmRelay and is left out, got 7: each Pod keeps 8192 associations of an endpoint',
      'endpoints[0].network.send_mptcp: has no field in a RealmRelay and is left out, got true: Pods dial by TCP, which remotes with MPTCP accept, too',
      'endpoints[0].network.accept_mptcp: has no field in a RealmRelay and is left out, got true: Pods accept TCP, to which clients with MPTCP fall back',
      'endpoints[0].listen_transport: has no field in a RealmRelay and is left out, got "ocsp=/ocsp": clients get no stapled OCSP response',
      'endpoints[0].listen_transport: has no field in a RealmRelay and is left out, got "optional": Pods start once the Secret of the certificate exists',
      'endpoints[0].listen_transport: has a certificate generated at start, which a RealmRelay takes from a Secret, got "servername=a.example": have cert-manager make one, or first run: openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=a.example -addext subjectAltName=DNS:a.example -keyout a.example.key -out a.example.crt',
      'endpoints[0].listen: is an address of one machine, which Pods do not have, got "192.0.2.1": listen on [::] or 0.0.0.0, or set workload.hostNetwork: true and choose the node by podTemplate.spec.nodeSelector',
      'endpoints[0].through: is an address of one machine, which Pods do not have, got "192.0.2.7": remove it, or set workload.hostNetwork: true and choose the node by podTemplate.spec.nodeSelector',
      'endpoints[0].extra_remotes[0]: is loopback, which the operator denies by default, got "127.0.0.1": give the name of a Service or the machine\'s address',
      'endpoints[0].interface: is an interface of one machine, which a RealmRelay cannot name, got "eth1": remove it',
      'endpoints[0].name: becomes "web-site-main-e", got "Web site, main entrance": use a DNS label of at most 15 characters, once, to choose another',
    ]);
  });
});

const port = fc.integer({ min: 1, max: 9000 });
const flags = fc.boolean();
const secret = fc.constantFrom('web-tls', 'other.tls', 'a--b');
const webSocket = fc.record(
  {
    host: fc.constantFrom('a.example', 'b:80'),
    path: fc.constantFrom('/', '/x?y=1'),
    pingIntervalSeconds: fc.constantFrom(5, 60),
    pingTimeoutSeconds: fc.constantFrom(0, 10),
  },
  { requiredKeys: ['host', 'path', 'pingIntervalSeconds'] },
);

const networks: fc.Arbitrary<NetworkSpec> = fc.record(
  {
    ipv6Only: flags,
    tcp: flags,
    udp: flags,
    tcpTimeoutSeconds: fc.nat(3600),
    udpTimeoutSeconds: fc.nat(86_400),
    tcpKeepaliveSeconds: fc.nat(32_767),
    tcpKeepaliveProbes: fc.integer({ min: 1, max: 127 }),
    tcpUserTimeoutSeconds: fc.nat(86_400),
    dscp: fc.nat(63),
    tcpIdleTimeoutSeconds: fc.nat(86_400),
    tcpHalfCloseTimeoutSeconds: fc.nat(86_400),
    maxConnections: fc.nat(3),
    maxConnectionsPerClient: fc.nat(3),
    maxWaiting: fc.nat(65_536),
    allowedSources: fc.constantFrom(['10.0.0.0/8'], ['192.0.2.1', '2001:db8::/32']),
    sendProxy: fc.record({ enabled: flags, version: fc.constantFrom(1, 2) }, { requiredKeys: [] }),
    acceptProxy: fc.record(
      {
        enabled: flags,
        timeoutSeconds: fc.nat(3600),
        trustedSources: fc.constantFrom(['10.0.0.0/8'], ['192.0.2.1', '2001:db8::/32']),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

const remotes = fc.array(
  fc.record(
    {
      address: fc.constantFrom('a.example', '192.0.2.1', '2001:DB8::1', '::ffff:192.0.2.1'),
      port,
      weight: fc.nat(255),
      fixedPort: flags,
    },
    { requiredKeys: ['address', 'port'] },
  ),
  { minLength: 1, maxLength: 4 },
);

const endpoints: fc.Arbitrary<EndpointSpec> = fc.record(
  {
    name: fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/),
    listen: fc
      .record({ address: fc.constantFrom('::', '0.0.0.0', '::1', '::ffff:192.0.2.1'), port, more: fc.nat(6) })
      .map(({ address, port: first, more }) => ({ address, port: first, endPort: first + more })),
    remotes,
    balance: fc.constantFrom('RoundRobin', 'IPHash', 'Failover', 'LeastConnections'),
    through: fc.constantFrom('192.0.2.7', '2001:db8::7'),
    healthCheck: fc.record({ intervalSeconds: fc.integer({ min: 1, max: 3600 }) }, { requiredKeys: [] }),
    network: networks,
    listenTransport: fc.record(
      {
        webSocket,
        tls: fc.record(
          { secretName: secret, clientCASecretName: secret, alpn: fc.constantFrom(['h2'], ['h2', 'x']) },
          { requiredKeys: ['secretName'] },
        ),
      },
      { requiredKeys: ['tls'] },
    ),
    remoteTransport: fc.record(
      {
        webSocket,
        tls: fc.record(
          {
            serverName: fc.constant('a.example'),
            clientSecretName: secret,
            caSecretName: secret,
            alpn: fc.constantFrom(['h2'], ['h2', 'x']),
          },
          { requiredKeys: ['serverName'] },
        ),
      },
      { requiredKeys: ['webSocket'] },
    ),
  },
  { requiredKeys: ['name', 'listen', 'remotes'] },
);
