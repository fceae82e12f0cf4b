import { expect } from 'chai';
import { attachment } from '../../src/gateway/attachment.ts';
import { gatewayStatus } from '../../src/gateway/gateway-status.ts';
import { sharedHostnames } from '../../src/gateway/hostnames.ts';
import { judgedListeners } from '../../src/gateway/listeners.ts';
import { routeParents } from '../../src/gateway/route-status.ts';
import type { BackendRef, Listener, Route } from '../../src/gateway/types.ts';
import { realmDocument } from '../../src/desired/config-map.ts';
import { service } from '../../src/desired/service.ts';
import { backend, decide, gateway, listener, lookupIn, route, worldOf, type World } from './world.ts';

/** A listener of TLS that passes it through. */
function passthrough(name: string, hostname?: string, port = 443): Listener {
  return listener(name, port, 'TLS', {
    tls: { mode: 'Passthrough' },
    ...(hostname !== undefined && { hostname }),
  });
}

/** A TLSRoute for `hostnames`, to the backend that is called as the route. */
function tlsRoute(
  name: string,
  hostnames: readonly string[],
  {
    created = '2026-01-01T00:00:00Z',
    section,
    refs = [{ name, port: 80 }],
  }: { created?: string; section?: string; refs?: readonly BackendRef[] } = {},
): Route {
  const parentRef = {
    name: 'web',
    namespace: 'edge',
    ...(section !== undefined && { sectionName: section }),
  };
  const plain = route(refs, { kind: 'TLSRoute', name, created, parentRefs: [parentRef] });
  return { ...plain, spec: { ...plain.spec, hostnames } };
}

const world: World = worldOf(
  backend('a', ['10.0.0.1']),
  backend('b', ['10.0.0.2']),
  backend('c', ['10.0.0.3']),
);

/** The endpoints of the relay: name, names of clients, and remotes. */
function served(listeners: readonly Listener[], routes: readonly Route[]): string[] {
  const { relay } = decide(gateway(listeners), routes, world);
  if (relay === undefined) return ['no relay'];
  return realmDocument(relay).endpoints.map(
    ({ name, listen, sni, remote, backends = [] }) =>
      `${name ?? ''} ${listen} ${sni === undefined ? 'all' : `[${sni.hosts?.join() ?? 'others'}]`} ${backends.some(({ refuse }) => refuse === true) ? 'refused' : remote}`,
  );
}

describe('hostnames of a listener and a route', () => {
  const cases: readonly (readonly [listener: string, route: readonly string[], shared: readonly string[]])[] =
    [
      ['', [], ['']],
      ['', ['a.example', '*.b.example'], ['a.example', '*.b.example']],
      ['a.example', [], ['a.example']],
      ['a.example', ['a.example', 'b.example'], ['a.example']],
      ['*.example', ['a.example', 'x.a.example', 'example', 'a.example.org'], ['a.example', 'x.a.example']],
      ['a.example', ['*.example'], ['a.example']],
      ['a.example', ['*.a.example'], []],
      ['*.example', ['*.a.example'], ['*.a.example']],
      ['*.a.example', ['*.example'], ['*.a.example']],
      ['*.a.example', ['*.b.example'], []],
      ['*.example', ['*.example'], ['*.example']],
      ['*.ample', ['*.example'], []],
      ['*.example', ['*.example', 'a.example', '*.example'], ['*.example', 'a.example']],
    ];
  for (const [hostname, hostnames, shared] of cases)
    it(`"${hostname}" and [${hostnames.join()}] share [${shared.join()}]`, () => {
      expect(sharedHostnames({ hostname }, tlsRoute('a', hostnames))).to.deep.equal(shared);
    });
});

describe('listeners of TLS', () => {
  const cases: readonly (readonly [
    why: string,
    listeners: readonly Listener[],
    reasons: readonly string[],
  ])[] = [
    ['one without a hostname', [passthrough('a')], ['Accepted NoConflicts']],
    [
      'several hostnames on a port',
      [passthrough('a', 'a.example'), passthrough('b', '*.example'), passthrough('c')],
      ['Accepted NoConflicts', 'Accepted NoConflicts', 'Accepted NoConflicts'],
    ],
    [
      'the same hostname twice',
      [passthrough('a', 'a.example'), passthrough('b', 'a.example'), passthrough('c')],
      ['Accepted HostnameConflict', 'Accepted HostnameConflict', 'Accepted NoConflicts'],
    ],
    [
      'no hostname twice',
      [passthrough('a'), passthrough('b')],
      ['Accepted HostnameConflict', 'Accepted HostnameConflict'],
    ],
    [
      'the port of TCP',
      [passthrough('a', 'a.example'), listener('b', 443)],
      ['Accepted ProtocolConflict', 'Accepted ProtocolConflict'],
    ],
    [
      'the port of UDP',
      [passthrough('a', 'a.example'), listener('b', 443, 'UDP')],
      ['Accepted NoConflicts', 'Accepted NoConflicts'],
    ],
    [
      'the port of HTTPS with another hostname',
      [passthrough('a', 'a.example'), listener('b', 443, 'HTTPS', { hostname: 'b.example' })],
      ['Accepted NoConflicts', 'UnsupportedProtocol NoConflicts'],
    ],
    [
      'the mode Terminate with another hostname',
      [
        passthrough('a', 'a.example'),
        listener('b', 443, 'TLS', { tls: { mode: 'Terminate' }, hostname: 'b.example' }),
      ],
      ['Accepted NoConflicts', 'Accepted NoConflicts'],
    ],
    [
      'no mode, which is Terminate, beside the same hostname',
      [passthrough('a'), listener('b', 443, 'TLS')],
      ['Accepted HostnameConflict', 'Accepted HostnameConflict'],
    ],
  ];
  for (const [why, listeners, reasons] of cases)
    it(`are judged: ${why}`, () => {
      const judged = judgedListeners(gateway(listeners), lookupIn(world));
      expect(
        judged.map(({ accepted, conflicted }) => `${accepted.reason} ${conflicted.reason}`),
      ).to.deep.equal(reasons);
      for (const { spec, kinds } of judged)
        if (spec.protocol === 'TLS')
          expect(kinds).to.deep.equal(
            spec.tls?.mode === 'Passthrough' ? ['TLSRoute'] : ['TCPRoute', 'TLSRoute'],
          );
    });

  it('share one port of the Service, and each reports its own routes', () => {
    const decision = decide(
      gateway([passthrough('a', 'a.example'), passthrough('b', '*.example'), listener('t', 80)]),
      [tlsRoute('a', ['a.example']), tlsRoute('b', ['b.example'])],
      world,
    );
    expect(
      decision.relay && service(decision.relay, undefined).spec?.ports?.map(({ name }) => name),
    ).to.deep.equal(['tcp-443', 'tcp-80']);
    const progress = { isDone: true, reason: '', message: '' };
    const status = gatewayStatus(
      gateway([]),
      decision,
      {
        pods: progress,
        address: progress,
        addresses: [],
        faults: new Map([['b', 'in use']]),
        certificates: new Map(),
      },
      '2026-01-01T00:00:00Z',
    );
    expect(
      status.listeners.map(({ name, attachedRoutes, supportedKinds }) => [
        name,
        attachedRoutes,
        supportedKinds?.[0]?.kind,
      ]),
    ).to.deep.equal([
      ['a', 1, 'TLSRoute'],
      ['b', 2, 'TLSRoute'], // a.example is below its hostname, too
      ['t', 0, 'TCPRoute'],
    ]);
    const programmed = status.listeners.map(
      ({ conditions }) => conditions.find(({ type }) => type === 'Programmed')?.status,
    );
    expect(programmed).to.deep.equal(['True', 'False', 'True']);
  });
});

describe('the relay of a Gateway with TLSRoutes', () => {
  it('leads each name to the backend of its route', () => {
    const routes = [tlsRoute('a', ['a.example', '*.x.example']), tlsRoute('b', ['b.example'])];
    expect(served([passthrough('tls')], routes)).to.deep.equal([
      'tls/edge/a [::]:443 [a.example,*.x.example] 10.0.0.1:8080',
      'tls/edge/b [::]:443 [b.example] 10.0.0.2:8080',
    ]);
    expect(served([passthrough('tls')], [tlsRoute('a', [])])).to.deep.equal([
      'tls/edge/a [::]:443 [others] 10.0.0.1:8080',
    ]);
    expect(served([passthrough('tls', '*.example')], [tlsRoute('a', [])])).to.deep.equal([
      'tls/edge/a [::]:443 [*.example] 10.0.0.1:8080',
    ]);
  });

  it('gives a name that several routes have to the oldest, and reports that on the others', () => {
    const old = tlsRoute('b', ['a.example'], { created: '2025-01-01T00:00:00Z' });
    const routes = [tlsRoute('a', ['a.example', 'c.example']), tlsRoute('c', ['a.example']), old];
    expect(served([passthrough('tls')], routes)).to.deep.equal([
      'tls/edge/b [::]:443 [a.example] 10.0.0.2:8080',
      'tls/edge/a [::]:443 [c.example] 10.0.0.1:8080',
    ]);
    const surroundings = { gateway: () => gateway([passthrough('tls')]), routesOf: () => routes };
    const messages = routes.map(
      (each) =>
        routeParents(each, surroundings, lookupIn(world), '2026-01-01T00:00:00Z')[0]?.conditions.find(
          ({ type }) => type === 'Accepted',
        )?.message,
    );
    expect(messages).to.deep.equal([
      'The route is attached.',
      'The route is attached to listener "tls" and gets no traffic there, since TLSRoute "edge/b" is older and serves it.',
      'The route is attached.',
    ]);
  });

  it('serves a name by the listener that it belongs to, by the exact hostname or the longest wildcard', () => {
    const listeners = [passthrough('wild', '*.example'), passthrough('exact', 'a.example')];
    const routes = [
      tlsRoute('a', ['a.example', 'b.example'], { section: 'wild' }),
      tlsRoute('b', ['*.example'], { section: 'exact' }),
    ];
    expect(served(listeners, routes)).to.deep.equal([
      'wild/edge/a [::]:443 [b.example] 10.0.0.1:8080',
      'exact/edge/b [::]:443 [a.example] 10.0.0.2:8080',
    ]);
  });

  it('refuses names that would else lead to a backend of a wider name', () => {
    const routes = [tlsRoute('none', ['a.example']), tlsRoute('b', ['*.example'])];
    expect(served([passthrough('tls')], routes)).to.deep.equal([
      'tls/edge/b [::]:443 [*.example] 10.0.0.2:8080',
      'tls/edge/none [::]:443 [a.example] refused',
    ]);
    const listeners = [
      passthrough('wide'),
      passthrough('own', '*.x.example'),
      passthrough('idle', 'y.example'),
    ];
    const ofOwn = [
      tlsRoute('a', ['a.x.example'], { section: 'own' }),
      tlsRoute('b', [], { section: 'wide' }),
    ];
    expect(served(listeners, ofOwn)).to.deep.equal([
      'wide/edge/b [::]:443 [others] 10.0.0.2:8080',
      'own/edge/a [::]:443 [a.x.example] 10.0.0.1:8080',
      'own [::]:443 [*.x.example] refused',
      'idle [::]:443 [y.example] refused',
    ]);
  });

  it('refuses the clients of a route without a backend, and has no endpoint for a name that is an address', () => {
    expect(
      served([passthrough('tls')], [tlsRoute('none', ['a.example']), tlsRoute('a', ['a.1'])]),
    ).to.deep.equal(['tls/edge/none [::]:443 [a.example] refused']);
  });
});

describe('a TLSRoute', () => {
  const attach = (listeners: readonly Listener[], hostnames: readonly string[]) => {
    const of = gateway(listeners);
    return attachment(
      tlsRoute('a', hostnames),
      { name: 'web', namespace: 'edge' },
      { gateway: of, listeners: judgedListeners(of, lookupIn(world)) },
      lookupIn(world),
    );
  };

  it('is attached to the listeners with which it shares a hostname', () => {
    const { listeners, accepted } = attach(
      [passthrough('a', 'a.example'), passthrough('b', 'b.example'), listener('t', 80)],
      ['b.example'],
    );
    expect([accepted.reason, listeners.map(({ spec }) => spec.name)]).to.deep.equal(['Accepted', ['b']]);
  });

  it('is not accepted without one: NoMatchingListenerHostname, with the hostnames of both', () => {
    const { listeners, accepted } = attach([passthrough('a', 'a.example')], ['b.example', 'c.example']);
    expect(listeners).to.deep.equal([]);
    expect(accepted).to.deep.include({ status: 'False', reason: 'NoMatchingListenerHostname' });
    expect(accepted.message).to.contain('"b.example", "c.example"').and.to.contain('"a" has "a.example"');
  });

  it('is not allowed by listeners of other protocols', () => {
    expect(attach([listener('t', 443), listener('h', 444, 'HTTPS')], ['a.example']).accepted.reason).to.equal(
      'NotAllowedByListeners',
    );
  });
});
