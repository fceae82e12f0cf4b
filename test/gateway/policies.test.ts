import { expect } from 'chai';
import { gatewayPolicies, routePolicies } from '../../src/gateway/policies.ts';
import { policyAncestors } from '../../src/gateway/policy-status.ts';
import type { PolicyTarget, TrafficPolicy } from '../../src/gateway/types.ts';
import { backend, decide, gateway, listener, lookupIn, policy, route, target, worldOf } from './world.ts';

const now = '2026-11-29T00:00:00Z';
const web = gateway([listener('db', 5432), listener('dns', 53, 'UDP')]);
const pg = route([{ name: 'pg', port: 80 }], { name: 'pg' });
const bind = route([{ name: 'bind', port: 80 }], { kind: 'UDPRoute', name: 'bind' });
const ofWeb = target('Gateway', 'web');
const ofDb = target('Gateway', 'web', 'db');
const ofDns = target('Gateway', 'web', 'dns');
const ofPg = target('TCPRoute', 'pg');
const ofBind = target('UDPRoute', 'bind');

/** The statuses of the targets of `subject` where these policies exist, each as `REASON: message`. */
function ancestors(subject: TrafficPolicy, others: readonly TrafficPolicy[] = [], of = web): string[] {
  const lookup = lookupIn({ policies: [subject, ...others] });
  const surroundings = {
    gateway: (key: string) => (key === 'edge/web' ? of : undefined),
    route: (kind: string, key: string) =>
      [pg, bind].find((each) => each.kind === kind && key === `edge/${each.metadata.name}`),
  };
  return policyAncestors(subject, surroundings, lookup, now).flatMap(({ conditions }) =>
    conditions.map(({ status, reason, message }) => `${status} ${reason}: ${message}`),
  );
}

type Case = {
  readonly why: string;
  readonly targets: readonly PolicyTarget[];
  readonly fields?: object;
  readonly others?: readonly TrafficPolicy[];
  /** Of each target. */
  readonly reported: readonly string[];
};

const fine = 'True Accepted: The policy is in effect.';
const older = '2025-01-01T00:00:00Z';

const cases: Case[] = [
  {
    why: 'a Gateway, a listener and routes that exist',
    targets: [ofWeb, ofDb, ofPg, ofBind],
    fields: { network: { tcpIdleTimeoutSeconds: 60 } },
    reported: [fine, fine, fine, fine],
  },
  {
    why: 'targets that do not exist',
    targets: [target('Gateway', 'none'), target('Gateway', 'web', 'none'), target('TCPRoute', 'bind')],
    reported: [
      'False TargetNotFound: Gateway "edge/none" does not exist, or its GatewayClass is of another controller: correct targetRefs, whose objects are in the namespace of the policy.',
      'False TargetNotFound: Gateway "edge/web" has no listener "none".',
      'False TargetNotFound: TCPRoute "edge/bind" does not exist: correct targetRefs, whose objects are in the namespace of the policy.',
    ],
  },
  {
    why: 'fields of a route on a Gateway',
    targets: [ofDb],
    fields: { balance: 'IPHash', network: { sendProxy: { enabled: true } } },
    reported: [
      'False Invalid: spec.balance: is not for a Gateway, got "IPHash": remove it, or target a route; spec.network.sendProxy: is not for a Gateway, got {"enabled":true}: remove it, or target a route',
    ],
  },
  {
    why: 'fields of a Gateway on a route, and valid on the other target',
    targets: [ofPg, ofDb],
    fields: { endPort: 5440 },
    reported: [
      'False Invalid: spec.endPort: is not for a TCPRoute, got 5440: remove it, or target a Gateway or one of its listeners',
      fine,
    ],
  },
  ...[
    'ipv6Only',
    'allowedSources',
    'acceptProxy',
    'maxConnections',
    'maxConnectionsPerClient',
    'maxWaiting',
  ].map((field) => {
    const values: Readonly<Record<string, unknown>> = {
      ipv6Only: true,
      allowedSources: ['::1'],
      acceptProxy: { enabled: true },
    };
    const value = values[field] ?? 1;
    return {
      why: `${field} on a route`,
      targets: [ofPg],
      fields: { network: { [field]: value } },
      reported: [
        `False Invalid: spec.network.${field}: is not for a TCPRoute, got ${JSON.stringify(value)}: remove it, or target a Gateway or one of its listeners`,
      ],
    };
  }),
  {
    why: 'a value that the schema does not have, as of a newer CRD',
    targets: [ofPg],
    fields: { balance: 'Random' },
    reported: [
      'False Invalid: spec.balance: is not one of the allowed values, got "Random": use RoundRobin, IPHash, Failover or LeastConnections',
    ],
  },
  {
    why: 'a field that is not known',
    targets: [ofPg],
    fields: { balanse: 'IPHash' },
    reported: ['False Invalid: spec.balanse: is an unknown key and has no effect: did you mean "balance"?'],
  },
  {
    why: 'a section of a route',
    targets: [target('TCPRoute', 'pg', 'rule')],
    reported: [
      'False Invalid: spec.targetRefs.sectionName: names a section of a TCPRoute, which has none, got "rule": remove it',
    ],
  },
  {
    why: 'a range that ends before it begins',
    targets: [ofDb],
    fields: { endPort: 5000 },
    reported: [
      'False Invalid: spec.endPort: is not valid for listener "db" with port 5432, got 5000: use an endPort that is not below port',
    ],
  },
  {
    why: 'a range that holds the port of the admin server',
    targets: [ofDb],
    fields: { endPort: 9500 },
    reported: [
      'False Invalid: spec.endPort: is not valid for listener "db" with port 5432, got 9500: the range holds 9465, the port of the relay\'s own admin server; choose other ports',
    ],
  },
  {
    why: 'more ports than a Service has, those of the other listener counted',
    targets: [ofDb],
    fields: { endPort: 5432 + 511 },
    reported: [
      'False UnsupportedValue: spec.endPort: gives the Gateway 513 ports, and it may have 512, one port of its Service each, got 5943: use a smaller range, or another Gateway for a part of it',
    ],
  },
  { why: 'as many ports as a Service has', targets: [ofDb], fields: { endPort: 5942 }, reported: [fine] },
  {
    why: 'PROXY headers of version 1, which cannot state UDP clients',
    targets: [ofBind],
    fields: { network: { sendProxy: { enabled: true, udp: true, version: 1 } } },
    reported: [
      'False Invalid: spec.network.sendProxy.version: of UDPRoute "bind" is a version of the PROXY protocol that cannot state UDP clients, got 1: set version to 2, or sendProxy.udp to false',
    ],
  },
  {
    why: 'what has no effect is noted',
    targets: [ofDns],
    fields: { network: { acceptProxy: { enabled: true } } },
    reported: [
      `${fine} spec.network.acceptProxy: of listener "dns" has no effect on UDP, whose datagrams are relayed with whatever they begin with: relay UDP with an endpoint of its own, without acceptProxy`,
    ],
  },
  {
    why: 'an older policy with the same target, and none on the other',
    targets: [ofDb, ofPg],
    others: [policy('z', { targetRefs: [ofDb] }, older)],
    reported: [
      'False Conflicted: RealmTrafficPolicy "edge/z" has the same target and is older, so that one is in effect: merge the two, or remove one.',
      fine,
    ],
  },
  {
    why: 'a policy of the same age with an earlier name',
    targets: [ofDb],
    others: [policy('a', { targetRefs: [ofDb] })],
    reported: [
      'False Conflicted: RealmTrafficPolicy "edge/a" has the same target and is older, so that one is in effect: merge the two, or remove one.',
    ],
  },
  {
    why: 'an older policy that is not valid does not stand in the way',
    targets: [ofDb],
    others: [policy('z', { targetRefs: [ofDb], balance: 'IPHash' }, older)],
    reported: [fine],
  },
  {
    why: 'a policy of the Gateway does not conflict with one of its listener',
    targets: [ofDb],
    others: [policy('z', { targetRefs: [ofWeb] }, older)],
    reported: [fine],
  },
  { why: 'one target, named twice', targets: [ofDb, ofDb], reported: [fine] },
];

describe('the status of a RealmTrafficPolicy', () => {
  for (const { why, targets, fields, others, reported } of cases)
    it(`reports, for each target: ${why}`, () => {
      expect(ancestors(policy('m', { targetRefs: targets, ...fields }), others)).to.deep.equal(reported);
    });

  it('has the target, this controller and the generation, and keeps the entries of others and the time', () => {
    const conditions = [
      {
        type: 'Accepted',
        status: 'True' as const,
        reason: 'Accepted',
        message: '',
        lastTransitionTime: older,
      },
    ];
    const foreign = { ancestorRef: { name: 'x' }, controllerName: 'example.com/other', conditions };
    const own = {
      ancestorRef: { ...ofDb, namespace: 'edge' },
      controllerName: 'realm-operator.dev/gateway-controller',
      conditions,
    };
    const gone = { ...own, ancestorRef: { ...ofPg, namespace: 'edge' } };
    const subject = { ...policy('m', { targetRefs: [ofDb] }), status: { ancestors: [foreign, gone, own] } };
    const surroundings = { gateway: () => web, route: () => undefined };
    const [first, second, ...more] = policyAncestors(
      subject,
      surroundings,
      lookupIn({ policies: [subject] }),
      now,
    );
    expect(first).to.deep.equal(foreign);
    expect(second?.ancestorRef).to.deep.equal({
      group: 'gateway.networking.k8s.io',
      kind: 'Gateway',
      name: 'web',
      namespace: 'edge',
      sectionName: 'db',
    });
    expect(second?.conditions[0]).to.include({ lastTransitionTime: older, observedGeneration: 4 });
    expect(more).to.deep.equal([]);
  });

  it('has at most 16 entries, those of others first', () => {
    const others = Array.from({ length: 10 }, (_, index) => ({
      ancestorRef: { name: String(index) },
      controllerName: 'example.com/other',
      conditions: [],
    }));
    const targets = Array.from({ length: 16 }, (_, index) => target('TCPRoute', String(index)));
    const subject = { ...policy('m', { targetRefs: targets }), status: { ancestors: others } };
    const surroundings = { gateway: () => web, route: () => undefined };
    const found = policyAncestors(subject, surroundings, lookupIn({}), now);
    expect(found).to.have.lengthOf(16);
    expect(found.slice(0, 10)).to.deep.equal(others);
  });
});

describe('the settings of policies', () => {
  const settingsOf = (...policies: TrafficPolicy[]) =>
    gatewayPolicies(web, lookupIn({ policies })).ofListener('db');

  it('are those of the listener over those of its Gateway, field by field', () => {
    const general = {
      tcpIdleTimeoutSeconds: 60,
      maxConnections: 5,
      acceptProxy: { enabled: true, timeoutSeconds: 9 },
    };
    const special = { maxConnections: 7, acceptProxy: { timeoutSeconds: 1 } };
    const settings = settingsOf(
      policy('a', { targetRefs: [ofWeb], network: general }),
      policy('b', { targetRefs: [ofDb], endPort: 5440, network: special }),
      policy('c', { targetRefs: [ofDns], endPort: 60 }),
    );
    expect(settings).to.deep.equal({
      endPort: 5440,
      network: {
        tcpIdleTimeoutSeconds: 60,
        maxConnections: 7,
        acceptProxy: { enabled: true, timeoutSeconds: 1 },
      },
    });
  });

  it('keep allowedSources closed while another field is not valid, and nothing else of that policy', () => {
    const network = { allowedSources: ['192.0.2.0/24'], maxConnections: 5 };
    const settings = settingsOf(policy('a', { targetRefs: [ofDb], balance: 'IPHash', network }));
    expect(settings).to.deep.equal({ network: { allowedSources: ['192.0.2.0/24'] } });
  });

  it('of a route are none without a policy', () => {
    expect(routePolicies(pg, lookupIn({})).settings).to.deep.equal({});
  });
});

describe('the relay of a Gateway with policies', () => {
  const world = worldOf(backend('pg', ['192.0.2.1']), backend('bind', ['192.0.2.53'], { protocol: 'UDP' }));

  it('has the settings of Gateway, listener and route, the route first', () => {
    const policies = [
      policy('a', {
        targetRefs: [ofWeb],
        network: { tcpTimeoutSeconds: 3, tcpIdleTimeoutSeconds: 60, ipv6Only: true },
      }),
      policy('b', { targetRefs: [ofDb], network: { tcpIdleTimeoutSeconds: 61, allowedSources: ['::1'] } }),
      policy('c', {
        targetRefs: [ofPg],
        network: { tcpIdleTimeoutSeconds: 62, sendProxy: { enabled: true } },
        balance: 'LeastConnections',
        through: '192.0.2.7',
        healthCheck: { intervalSeconds: 5 },
      }),
    ];
    const { relay } = decide(web, [pg, bind], { ...world, policies });
    const [db, dns] = relay?.endpoints ?? [];
    expect(db).to.deep.include({ balance: 'LeastConnections', through: '192.0.2.7' });
    expect(db?.healthCheck).to.include({ intervalSeconds: 5, timeoutSeconds: 2 });
    expect(db?.network).to.deep.include({
      tcp: true,
      udp: false,
      ipv6Only: true,
      tcpTimeoutSeconds: 3,
      tcpIdleTimeoutSeconds: 62,
      allowedSources: ['::1'],
    });
    expect(db?.network.sendProxy).to.include({ enabled: true, version: 2 });
    expect(dns).to.deep.include({ balance: 'RoundRobin' });
    expect(dns?.network).to.deep.include({
      tcp: false,
      udp: true,
      ipv6Only: true,
      tcpIdleTimeoutSeconds: 60,
      allowedSources: [],
    });
  });

  it('has a range of ports, and a Service port for each, also without a route', () => {
    const policies = [policy('a', { targetRefs: [ofDb], endPort: 5434 })];
    const { relay } = decide(web, [pg], { ...world, policies });
    expect(relay?.endpoints[0]?.listen).to.include({ port: 5432, endPort: 5434 });
    const ports = [
      { port: 5432, protocol: 'TCP' },
      { port: 5433, protocol: 'TCP' },
      { port: 5434, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ];
    expect(relay?.servicePorts).to.deep.equal(ports);
    expect(decide(web, [], { ...world, policies }).relay?.servicePorts).to.deep.equal(ports);
  });

  it('leaves out endpoints whose ports would end above 65535', () => {
    const high = backend('pg', ['192.0.2.1']);
    const slices = [{ ...high.slice, ports: [{ name: 'p', port: 65_534, protocol: 'TCP' }] }];
    const with3 = (endPort: number) =>
      decide(web, [pg], {
        services: [high.service],
        slices,
        policies: [policy('a', { targetRefs: [ofDb], endPort })],
      }).relay?.endpoints;
    expect(with3(5433)).to.have.lengthOf(1);
    expect(with3(5434)).to.have.lengthOf(0);
  });

  for (const { why, clusterIPs, address } of [
    {
      why: 'the cluster IP of its first family',
      clusterIPs: ['10.96.0.1', 'fd00::1'],
      address: '10.96.0.1:80',
    },
    { why: 'the endpoints of a headless Service', clusterIPs: ['None'], address: '192.0.2.1:8080' },
    {
      why: 'the endpoints of a Service without cluster IPs',
      clusterIPs: undefined,
      address: '192.0.2.1:8080',
    },
  ])
    it(`dials with backends: ClusterIP ${why}`, () => {
      const { service, slice } = backend('pg', ['192.0.2.1']);
      const services = [{ ...service, spec: { ...service.spec, ...(clusterIPs && { clusterIPs }) } }];
      const policies = [policy('a', { targetRefs: [ofPg], backends: 'ClusterIP' })];
      const { relay } = decide(web, [pg], { services, slices: [slice], policies });
      const [remote] = relay?.endpoints[0]?.remotes ?? [];
      expect(`${remote?.address ?? ''}:${String(remote?.port)}`).to.equal(address);
    });
});
