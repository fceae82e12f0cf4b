import { expect } from 'chai';
import type { Relay } from '../../src/api/relay.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';
import { realmDocument } from '../../src/desired/config-map.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import type { Gateway, Listener, Route } from '../../src/gateway/types.ts';
import { expectGolden } from '../golden.ts';
import { backend, decide, gateway, listener, route, slice, type World, worldOf } from './world.ts';

/** The remotes of each endpoint, as `listener: address weight, …`, and its backends: `| weight of position, …`. */
function served(relay: Relay | undefined): string[] {
  return (relay?.endpoints ?? []).map(({ name, remotes, backends = [] }) => {
    const addresses = remotes.map(
      ({ address, port, weight }) => `${address}:${String(port)} ${String(weight)}`,
    );
    const shares = backends.map(
      (each) => ` | ${String(each.weight)} ${'refuse' in each ? 'refused' : `of ${each.remotes.join()}`}`,
    );
    return `${name}: ${addresses.join(', ')}${shares.join('')}`;
  });
}

function ports({ servicePorts = [] }: Partial<Relay> = {}): string[] {
  return servicePorts.map(({ port, protocol }) => `${String(port)}/${protocol}`);
}

const a = backend('a', ['192.0.2.1', '192.0.2.2']);
const b = backend('b', ['192.0.2.3']);
const none = backend('none', []);
const everything = worldOf(a, b, none);

type Case = {
  readonly why: string;
  readonly listeners?: readonly Listener[];
  readonly routes: readonly Route[];
  readonly world?: World;
  readonly endpoints: readonly string[];
  readonly ports?: readonly string[];
};

const cases: Case[] = [
  { why: 'no route: the port is reserved and closed', routes: [], endpoints: [] },
  {
    why: 'one backend',
    routes: [route([{ name: 'b', port: 80 }])],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  {
    why: 'weights are those of backends, whatever the number of their endpoints',
    routes: [
      route([
        { name: 'a', port: 80, weight: 1 },
        { name: 'b', port: 80, weight: 1 },
      ]),
    ],
    endpoints: ['db: 192.0.2.1:8080 1, 192.0.2.2:8080 1, 192.0.2.3:8080 2 | 1 of 0,1 | 1 of 2'],
  },
  {
    why: 'weight 0 gets no traffic, not even as a spare',
    routes: [
      route([
        { name: 'a', port: 80, weight: 0 },
        { name: 'b', port: 80 },
      ]),
    ],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  { why: 'all of weight 0', routes: [route([{ name: 'a', port: 80, weight: 0 }])], endpoints: [] },
  { why: 'no endpoints', routes: [route([{ name: 'none', port: 80 }])], endpoints: [] },
  { why: 'no such Service', routes: [route([{ name: 'x', port: 80 }])], endpoints: [] },
  {
    why: 'of several routes the oldest serves',
    routes: [
      route([{ name: 'a', port: 80 }], { name: 'new', created: '2026-02-01T00:00:00Z' }),
      route([{ name: 'b', port: 80 }], { name: 'old', created: '2026-01-01T00:00:00Z' }),
    ],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  {
    why: 'of routes of one age the first by name',
    routes: [
      route([{ name: 'a', port: 80 }], { name: 'z' }),
      route([{ name: 'b', port: 80 }], { name: 'y' }),
    ],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  {
    why: 'the serving route has no backend: another does not step in',
    routes: [
      route([{ name: 'x', port: 80 }], { name: 'a' }),
      route([{ name: 'b', port: 80 }], { name: 'b' }),
    ],
    endpoints: [],
  },
  {
    why: 'TCP and UDP on one port',
    listeners: [listener('tcp', 53), listener('udp', 53, 'UDP')],
    routes: [route([{ name: 'b', port: 80 }]), route([{ name: 'dns', port: 80 }], { kind: 'UDPRoute' })],
    world: worldOf(b, backend('dns', ['192.0.2.9'], { protocol: 'UDP' })),
    endpoints: ['tcp: 192.0.2.3:8080 1', 'udp: 192.0.2.9:8080 1'],
    ports: ['53/TCP', '53/UDP'],
  },
  {
    why: 'a listener that is not valid has neither endpoint nor port',
    listeners: [listener('db', 5432), listener('web', 80, 'HTTP')],
    routes: [route([{ name: 'b', port: 80 }])],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  {
    why: 'a backend in another namespace without a grant',
    routes: [
      route([
        { name: 'far', namespace: 'data', port: 80 },
        { name: 'b', port: 80 },
      ]),
    ],
    world: worldOf(b, backend('far', ['192.0.2.7'], { namespace: 'data' })),
    endpoints: ['db: 192.0.2.3:8080 1 | 1 refused | 1 of 0'],
  },
  ...[
    { why: 'a Service that does not exist', ref: { name: 'x', port: 80 } },
    { why: 'a port that the Service does not have', ref: { name: 'a', port: 81 } },
    { why: 'a Service without endpoints', ref: { name: 'none', port: 80 } },
    { why: 'a kind that is no Service', ref: { name: 'a', port: 80, kind: 'Bucket' } },
    { why: 'a port of the other protocol', ref: { name: 'dns', port: 80 } },
  ].map(({ why, ref }) => ({
    why: `the share of ${why} is refused`,
    routes: [
      route([
        { ...ref, weight: 800_000 },
        { name: 'b', port: 80, weight: 200_000 },
      ]),
    ],
    world: worldOf(a, b, none, backend('dns', ['192.0.2.9'], { protocol: 'UDP' })),
    endpoints: ['db: 192.0.2.3:8080 1 | 800000 refused | 200000 of 0'],
  })),
  {
    why: 'an invalid backend of weight 0 refuses nobody',
    routes: [
      route([
        { name: 'x', port: 80, weight: 0 },
        { name: 'b', port: 80 },
      ]),
    ],
    endpoints: ['db: 192.0.2.3:8080 1'],
  },
  {
    why: 'every backend refuses: the port is closed, so that clients are refused at once',
    routes: [
      route([
        { name: 'x', port: 80 },
        { name: 'none', port: 80 },
      ]),
    ],
    endpoints: [],
  },
  {
    why: 'a backend that is listed twice has its remotes once, and both shares',
    routes: [
      route([
        { name: 'a', port: 80, weight: 1 },
        { name: 'b', port: 80, weight: 1 },
        { name: 'a', port: 80, weight: 2 },
      ]),
    ],
    endpoints: ['db: 192.0.2.1:8080 3, 192.0.2.2:8080 3, 192.0.2.3:8080 2 | 1 of 0,1 | 1 of 2 | 2 of 0,1'],
  },
  {
    why: 'weights of UDP are shares, too',
    listeners: [listener('udp', 53, 'UDP')],
    routes: [
      route(
        [
          { name: 'x', port: 80, weight: 4 },
          { name: 'dns', port: 80 },
        ],
        { kind: 'UDPRoute' },
      ),
    ],
    world: worldOf(backend('dns', ['192.0.2.9'], { protocol: 'UDP' })),
    endpoints: ['udp: 192.0.2.9:8080 1 | 4 refused | 1 of 0'],
    ports: ['53/UDP'],
  },
];

describe('the relay of a Gateway', () => {
  for (const {
    why,
    listeners = [listener('db', 5432)],
    routes,
    world = everything,
    endpoints,
    ...rest
  } of cases)
    it(`has the endpoints [${endpoints.join('; ')}]: ${why}`, () => {
      const { relay } = decide(gateway(listeners), routes, world);
      expect(served(relay)).to.deep.equal(endpoints);
      expect(ports(relay)).to.deep.equal(rest.ports ?? ['5432/TCP']);
    });

  it('is none if no listener is valid', () => {
    expect(decide(gateway([listener('web', 80, 'HTTP')]), []).relay).to.equal(undefined);
  });

  it('has as many remotes as its Services have endpoints, 1,000 and more, by exact weights', () => {
    const addresses = Array.from(
      { length: 1000 },
      (_, index) => `10.0.${String(index >> 8)}.${String(index & 255)}`,
    );
    const refs = [
      { name: 'many', port: 80, weight: 1 },
      { name: 'b', port: 80, weight: 1 },
    ];
    const { relay } = decide(
      gateway([listener('db', 1)]),
      [route(refs)],
      worldOf(backend('many', addresses), b),
    );
    const [parsed] = relay ? relayConfig(realmDocument(relay), 'the ConfigMap').config.endpoints : [];
    expect(parsed?.remotes).to.have.length(1001);
    expect(
      parsed?.backends?.map((each) => ('remotes' in each ? [each.weight, each.remotes.length] : [])),
    ).to.deep.equal([
      [1, 1000],
      [1, 1],
    ]);
  });

  it('is the same whatever the order of slices', () => {
    const endpoints = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => ({ addresses: [address] }));
    const slices = endpoints.map((endpoint) => slice('a', [endpoint]));
    const routes = [route([{ name: 'a', port: 80 }])];
    const documents = [slices, slices.toReversed()].map((each) => {
      const { relay } = decide(gateway([listener('db', 1)]), routes, { services: [a.service], slices: each });
      return relay && realmDocument(relay);
    });
    expect(documents[0]).to.deep.equal(documents[1]);
  });

  it('keeps the ports of its Service in their order, also while routes come and go', () => {
    const of = gateway([listener('x', 1), listener('y', 2), listener('z', 3)]);
    const attached = route([{ name: 'b', port: 80 }], { parentRefs: [{ name: 'web', sectionName: 'y' }] });
    expect(ports(decide(of, [attached], everything).relay)).to.deep.equal(ports(decide(of, []).relay));
  });

  it('becomes the objects of the golden file: a Deployment, a Service and a ConfigMap', () => {
    const infrastructure = { labels: { team: 'data' }, annotations: { 'example.com/pool': 'a' } };
    const of = gateway([listener('db', 5432), listener('later', 5433)], {
      infrastructure,
      addresses: [{ value: '192.0.2.80' }],
    });
    const attached = route([{ name: 'a', port: 80 }], { parentRefs: [{ name: 'web', sectionName: 'db' }] });
    const { relay } = decide(of, [attached], everything);
    const objects =
      relay &&
      desiredObjects(relay, {
        relayImage: 'registry.example/realm-relay:1.2.3',
        relayEngine: 'auto',
        operatorNamespace: 'realm-operator-system',
        deniedDestinations: [],
      });
    expectGolden('gateway', objects);
  });

  it('has labels that users cannot override', () => {
    const labels = {
      'gateway.networking.k8s.io/gateway-name': 'other',
      'app.kubernetes.io/instance': 'other',
    };
    const { relay } = decide(gateway([listener('db', 1)], { infrastructure: { labels } }), []);
    const [object] = relay
      ? desiredObjects(relay, {
          relayImage: 'x',
          relayEngine: 'auto',
          operatorNamespace: 'x',
          deniedDestinations: [],
        })
      : [];
    expect(object?.metadata.labels).to.include({
      'gateway.networking.k8s.io/gateway-name': 'web',
      'gateway.networking.k8s.io/gateway-class-name': 'realm',
      'app.kubernetes.io/instance': 'web-realm',
    });
  });
});

describe('a Gateway', () => {
  const db = listener('db', 5432);
  const parametersRef = { group: 'example.com', kind: 'Settings', name: 'x' };
  const decisions: { why: string; of: Gateway; status: string; reason: string; runs?: boolean }[] = [
    { why: 'all is valid', of: gateway([db]), status: 'True', reason: 'Accepted' },
    {
      why: 'a listener is not',
      of: gateway([db, listener('w', 80, 'HTTP')]),
      status: 'True',
      reason: 'ListenersNotValid',
    },
    {
      why: 'no listener is',
      of: gateway([listener('w', 80, 'HTTP')]),
      status: 'False',
      reason: 'ListenersNotValid',
    },
    {
      why: 'listeners conflict',
      of: gateway([db, listener('w', 5432, 'TCP')]),
      status: 'True',
      reason: 'ListenersNotValid',
      runs: false,
    },
    {
      why: 'parameters',
      of: gateway([db], { infrastructure: { parametersRef } }),
      status: 'False',
      reason: 'InvalidParameters',
    },
    {
      why: 'an IP address',
      of: gateway([db], { addresses: [{ value: '2001:db8::1' }] }),
      status: 'True',
      reason: 'Accepted',
    },
    {
      why: 'an empty address',
      of: gateway([db], { addresses: [{ type: 'IPAddress' }] }),
      status: 'True',
      reason: 'Accepted',
    },
    {
      why: 'a host name',
      of: gateway([db], { addresses: [{ type: 'Hostname', value: 'a.example' }] }),
      status: 'False',
      reason: 'UnsupportedAddress',
    },
    {
      why: 'no IP address',
      of: gateway([db], { addresses: [{ value: 'a.example' }] }),
      status: 'False',
      reason: 'UnsupportedAddress',
    },
    {
      why: 'an annotation that weakens the Pods',
      of: gateway([db], {
        infrastructure: {
          annotations: { 'container.apparmor.security.beta.kubernetes.io/relay': 'unconfined' },
        },
      }),
      status: 'False',
      reason: 'Invalid',
    },
  ];
  for (const { why, of, status, reason, runs = status === 'True' } of decisions)
    it(`is accepted ${status} ${reason}: ${why}`, () => {
      const { accepted, relay } = decide(of, []);
      expect(accepted).to.include({ status, reason });
      expect(relay !== undefined).to.equal(runs);
    });
});
