import { expect } from 'chai';
import fc from 'fast-check';
import { parseRealmRelay } from '../../src/api/parse.ts';
import { pathText, problemText } from '../../src/lib/problem.ts';
import { endpoint, realmRelay, relay } from '../support/realm-relays.ts';
import { badRelays } from './bad-relays.ts';

describe('parseRealmRelay', () => {
  for (const [what, { document, field, remedy }] of Object.entries(badRelays)) {
    it(`rejects ${what}, naming the field and the remedy`, () => {
      const { problems } = parseRealmRelay(document);
      expect(problems.map(({ path }) => pathText(path))).to.include(field);
      expect(problems.map(problemText).join('\n')).to.contain(remedy);
    });
  }

  it('rejects a wrong kind and apiVersion', () => {
    const { problems } = parseRealmRelay({ ...realmRelay(), apiVersion: 'v1', kind: 'Relay' });
    expect(problems.map(problemText)).to.deep.equal([
      'apiVersion: is not one of the allowed values, got "v1": use realm-operator.dev/v1alpha1',
      'kind: is not one of the allowed values, got "Relay": use RealmRelay',
    ]);
  });

  it('reports every problem at once', () => {
    const { problems } = parseRealmRelay(
      realmRelay([endpoint({ port: 0, balance: 'none' as never, remotes: [] })]),
    );
    expect(problems).to.have.length(3);
  });

  it('warns of unknown keys, with the nearest known one', () => {
    const { relay: parsed, warnings } = parseRealmRelay(
      realmRelay([endpoint()], { network: { ipv6only: true } as never }),
    );
    expect(parsed?.endpoints[0]?.network.ipv6Only).to.equal(false);
    expect(warnings.map(problemText)).to.deep.equal([
      'spec.network.ipv6only: is an unknown key and has no effect: did you mean "ipv6Only"?',
    ]);
  });

  it('warns of no field of the metadata, which are those of Kubernetes', () => {
    const { metadata, ...rest } = realmRelay();
    const labels = { 'app.kubernetes.io/part-of': 'edge' };
    const { problems, warnings } = parseRealmRelay({
      ...rest,
      metadata: {
        ...metadata,
        labels,
        finalizers: ['example.com/a'],
        managedFields: [{}],
        constructor: null,
      },
    });
    expect([...problems, ...warnings]).to.deep.equal([]);
  });

  const maps: readonly (readonly [field: string, spec: object])[] = [
    ['spec.service.nodePorts', { service: { nodePorts: JSON.parse('{"__proto__": 30443}') as object } }],
    ['spec.service.labels', { service: { labels: JSON.parse('{"__proto__": "a"}') as object } }],
    ['spec.service.annotations', { service: { annotations: JSON.parse('{"__proto__": "a"}') as object } }],
    [
      'spec.podTemplate.spec.nodeSelector',
      { podTemplate: { spec: { nodeSelector: JSON.parse('{"__proto__": "a"}') as object } } },
    ],
    ['spec.resources.limits', { resources: { limits: JSON.parse('{"__proto__": "1"}') as object } }],
    ['metadata', {}],
  ];
  for (const [field, spec] of maps) {
    it(`reports the key __proto__ of ${field}, which objects of JavaScript inherit`, () => {
      const { metadata, ...rest } = realmRelay([endpoint()], spec);
      const of = field === 'metadata' ? (JSON.parse('{"__proto__": "a"}') as object) : {};
      const { problems } = parseRealmRelay({ ...rest, metadata: { ...metadata, ...of } });
      expect(problems.map(({ path, what }) => `${pathText(path)} ${what}`)).to.deep.equal([
        `${field}.__proto__ is not a valid key`,
      ]);
    });
  }

  it('warns of a Service family that no endpoint listens on', () => {
    const { problems, warnings } = parseRealmRelay(
      realmRelay([endpoint()], { network: { ipv6Only: true }, service: { ipFamilies: ['IPv6', 'IPv4'] } }),
    );
    expect(problems).to.deep.equal([]);
    expect(warnings.map(({ path }) => pathText(path))).to.deep.equal(['spec.service.ipFamilies']);
  });

  for (const ipFamilyPolicy of ['RequireDualStack', 'PreferDualStack'] as const) {
    it(`warns of ${ipFamilyPolicy} if the endpoints listen on one family`, () => {
      const families = [{}, { ipFamilies: ['IPv4' as const] }];
      for (const chosen of families) {
        const { problems, warnings } = parseRealmRelay(
          realmRelay([endpoint({ address: '0.0.0.0' })], { service: { ipFamilyPolicy, ...chosen } }),
        );
        expect(problems).to.deep.equal([]);
        expect(warnings.map(({ path }) => pathText(path))).to.deep.equal(['spec.service.ipFamilyPolicy']);
      }
    });
  }

  const ofUdp = [
    {
      why: 'a check by UDP without UDP',
      fields: { healthCheck: { udp: { send: 'x' } } },
      warning:
        'healthCheck.udp: of endpoint "https" has no effect: it does not relay UDP: remove it, or set network.udp to true',
    },
    {
      why: 'PROXY headers that UDP does not get',
      fields: { network: { udp: true, sendProxy: { enabled: true } } },
      warning:
        'network.sendProxy: of endpoint "https" has no effect on UDP, whose datagrams get no PROXY header: set sendProxy.udp to true, or relay UDP with an endpoint of its own',
    },
    {
      why: 'PROXY headers for UDP that are not enabled',
      fields: { network: { udp: true, sendProxy: { udp: true } } },
      warning:
        'network.sendProxy.udp: of endpoint "https" has no effect, because sendProxy is not enabled: set sendProxy.enabled to true, or remove it',
    },
    {
      why: 'PROXY headers that are not read of UDP',
      fields: { network: { udp: true, acceptProxy: { enabled: true } } },
      warning:
        'network.acceptProxy: of endpoint "https" has no effect on UDP, whose datagrams are relayed with whatever they begin with: relay UDP with an endpoint of its own, without acceptProxy',
    },
    {
      why: 'none of a TCP check that UDP follows',
      fields: { healthCheck: {}, network: { tcp: false, udp: true } },
    },
    {
      why: 'none of PROXY headers that UDP gets',
      fields: { network: { udp: true, sendProxy: { enabled: true, udp: true } } },
    },
    { why: 'none of PROXY headers without UDP', fields: { network: { sendProxy: { enabled: true } } } },
  ];
  for (const { why, fields, warning } of ofUdp) {
    it(`warns of what has no effect on UDP: ${why}`, () => {
      const { problems, warnings } = parseRealmRelay(realmRelay([endpoint(fields)]));
      expect(problems).to.deep.equal([]);
      const expected = warning === undefined ? [] : [`spec.endpoints[0].${warning}`];
      expect(warnings.map(problemText)).to.deep.equal(expected);
    });
  }

  it('rejects PROXY headers of version 1 for UDP, which cannot state it', () => {
    const sendProxy = { enabled: true, version: 1, udp: true };
    const { problems } = parseRealmRelay(realmRelay([endpoint({ network: { udp: true, sendProxy } })]));
    expect(problems.map(problemText)).to.deep.equal([
      'spec.endpoints[0].network.sendProxy.version: of endpoint "https" is a version of the PROXY protocol that cannot state UDP clients, got 1: set version to 2, or sendProxy.udp to false',
    ]);
  });

  const largest = [
    { with: 'a Service', remotes: 32, port: 65_280, spec: {} },
    { with: 'no Service', remotes: 4, port: 49_152, spec: { service: { enabled: false } } },
  ];
  for (const { with: what, remotes: count, port, spec } of largest) {
    it(`accepts the largest range with ${what}: to the last port, TCP and UDP, ${String(count)} remotes`, () => {
      const remotes = Array.from({ length: count }, () => ({ address: 'b', port }));
      const all = endpoint({ port, endPort: 65_535, remotes, network: { udp: true } });
      const { problems, warnings } = parseRealmRelay(realmRelay([all], spec));
      expect({ problems, warnings }).to.deep.equal({ problems: [], warnings: [] });
    });
  }

  it('warns of a fixedPort if there is one port', () => {
    const remotes = [{ address: 'b', port: 80, fixedPort: true }];
    const alone = parseRealmRelay(realmRelay([endpoint({ remotes })])).warnings;
    expect(alone.map(problemText)).to.deep.equal([
      'spec.endpoints[0].remotes[0].fixedPort: has no effect: endpoint "https" has one port: remove it, or set listen.endPort',
    ]);
    expect(parseRealmRelay(realmRelay([endpoint({ remotes, endPort: 444 })])).warnings).to.deep.equal([]);
  });

  it('treats null as absent, as the API server does', () => {
    const { relay: parsed } = parseRealmRelay(realmRelay([endpoint()], { replicas: null as never }));
    expect(parsed?.replicas).to.equal(1);
  });

  it('reports port conflicts separately from problems', () => {
    const { problems, conflicts } = parseRealmRelay(
      realmRelay([endpoint({ name: 'a' }), endpoint({ name: 'b', address: '0.0.0.0' })]),
    );
    expect(problems).to.deep.equal([]);
    expect(conflicts.map(({ endpoints }) => endpoints)).to.deep.equal([['a', 'b']]);
  });

  it('never throws, whatever the document contains', () => {
    fc.assert(
      fc.property(fc.anything(), (spec) => {
        expect(parseRealmRelay({ ...realmRelay(), spec }).problems).to.be.an('array');
      }),
    );
  });
});

describe('resolve', () => {
  it('applies the documented defaults', () => {
    const parsed = relay();
    expect(parsed).to.deep.include({
      replicas: 1,
      logLevel: 'info',
      workers: 1,
      drainSeconds: 30,
      paused: false,
    });
    expect(parsed.service).to.deep.equal({
      enabled: true,
      type: 'ClusterIP',
      recreatePolicy: 'Never',
      annotations: {},
      labels: {},
      loadBalancerSourceRanges: [],
      nodePorts: {},
    });
    const [only] = parsed.endpoints;
    expect(only?.listen.address.text).to.equal('::');
    expect(only?.balance).to.equal('RoundRobin');
    expect(only?.remotes[0]?.weight).to.equal(1);
    expect(only?.network).to.deep.equal({
      ipv6Only: false,
      tcp: true,
      udp: false,
      tcpTimeoutSeconds: 5,
      udpTimeoutSeconds: 30,
      tcpKeepaliveSeconds: 15,
      tcpKeepaliveProbes: 3,
      tcpUserTimeoutSeconds: 60,
      dscp: 0,
      allowedSources: [],
      sendProxy: { enabled: false, version: 2, udp: false, everyDatagram: false },
      acceptProxy: { enabled: false, timeoutSeconds: 5, trustedSources: [] },
      tcpIdleTimeoutSeconds: 0,
      tcpHalfCloseTimeoutSeconds: 300,
      maxConnections: 0,
      maxConnectionsPerClient: 0,
      maxWaiting: 1024,
    });
  });

  it("overrides the spec's PROXY settings by the endpoint's, field by field", () => {
    const parsed = relay([endpoint({ network: { sendProxy: { version: 1 } } })], {
      network: { sendProxy: { enabled: true }, acceptProxy: { trustedSources: ['10.0.0.0/8'] } },
    });
    expect(parsed.endpoints[0]?.network).to.deep.include({
      sendProxy: { enabled: true, version: 1, udp: false, everyDatagram: false },
      acceptProxy: { enabled: false, timeoutSeconds: 5, trustedSources: ['10.0.0.0/8'] },
    });
  });

  it("overrides the spec's network by the endpoint's, field by field", () => {
    const parsed = relay([endpoint({ network: { udp: true } })], { network: { ipv6Only: true, tcp: false } });
    expect(parsed.endpoints[0]?.network).to.include({
      ipv6Only: true,
      tcp: false,
      udp: true,
      tcpTimeoutSeconds: 5,
    });
  });
});
