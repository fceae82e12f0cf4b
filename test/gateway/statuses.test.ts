import { expect } from 'chai';
import type { Condition } from '../../src/api/schema/realm-relay.ts';
import { classStatus } from '../../src/gateway/class-status.ts';
import { gatewayStatus, hasGatewayStatus, type GatewayOutcome } from '../../src/gateway/gateway-status.ts';
import { hasRouteParents, routeParents } from '../../src/gateway/route-status.ts';
import { controllerName, type Gateway, type Route } from '../../src/gateway/types.ts';
import { backend, decide, gateway, gatewayClass, listener, lookupIn, route, worldOf } from './world.ts';

const now = '2026-03-04T05:06:07Z';
const later = '2026-03-04T05:06:08Z';
const done = { isDone: true, reason: 'Programmed', message: 'done' };
const outcome: GatewayOutcome = {
  pods: done,
  address: done,
  addresses: [{ type: 'IPAddress', value: '192.0.2.80' }],
  faults: new Map(),
  certificates: new Map(),
};

function reasons(conditions: readonly Condition[] = []): string[] {
  return conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
}

function statusOf(
  of: Gateway,
  routes: readonly Route[] = [],
  with_: Partial<GatewayOutcome> = {},
  time = now,
) {
  return gatewayStatus(
    of,
    decide(of, routes, worldOf(backend('a', ['192.0.2.1']))),
    { ...outcome, ...with_ },
    time,
  );
}

describe('the status of a Gateway', () => {
  const mixed = gateway([listener('db', 5432), listener('web', 80, 'HTTP')]);
  const attached = route([{ name: 'a', port: 80 }]);

  it('reports the Gateway, its addresses, and each listener with its routes', () => {
    const { conditions, addresses, listeners } = statusOf(mixed, [attached]);
    expect(reasons(conditions)).to.deep.equal([
      'Accepted True ListenersNotValid',
      'Programmed True Programmed',
    ]);
    expect(addresses).to.deep.equal(outcome.addresses);
    expect(listeners.map(({ name, attachedRoutes }) => `${name} ${String(attachedRoutes)}`)).to.deep.equal([
      'db 1',
      'web 0',
    ]);
    const [db, web] = listeners;
    expect(reasons(db?.conditions)).to.deep.equal([
      'Accepted True Accepted',
      'Conflicted False NoConflicts',
      'Programmed True Programmed',
      'ResolvedRefs True ResolvedRefs',
    ]);
    expect(reasons(web?.conditions)).to.deep.equal([
      'Accepted False UnsupportedProtocol',
      'Conflicted False NoConflicts',
      'Programmed False Invalid',
      'ResolvedRefs True ResolvedRefs',
    ]);
    expect(db?.supportedKinds).to.deep.equal([{ group: 'gateway.networking.k8s.io', kind: 'TCPRoute' }]);
    expect(web?.supportedKinds).to.deep.equal([]);
    expect(conditions.every(({ observedGeneration }) => observedGeneration === 3)).to.be.true;
  });

  const waiting = { isDone: false, reason: 'Pending', message: '0 of 1 Pods are ready.' };
  const unassigned = { isDone: false, reason: 'AddressNotAssigned', message: 'no address' };
  const cases: { why: string; with_: Partial<GatewayOutcome>; ofGateway: string; ofListener: string }[] = [
    { why: 'Pods start', with_: { pods: waiting }, ofGateway: 'Pending', ofListener: 'Pending' },
    {
      why: 'no address',
      with_: { address: unassigned },
      ofGateway: 'AddressNotAssigned',
      ofListener: 'Programmed',
    },
    {
      why: 'both',
      with_: { pods: waiting, address: unassigned },
      ofGateway: 'Pending',
      ofListener: 'Pending',
    },
    {
      why: 'an object of the name is not ours',
      with_: { pods: { isDone: false, reason: 'ResourceConflict', message: 'x' } },
      ofGateway: 'ResourceConflict',
      ofListener: 'Pending',
    },
    {
      why: 'a Pod cannot listen',
      with_: { faults: new Map([['db', 'in use']]) },
      ofGateway: 'Programmed',
      ofListener: 'Pending',
    },
  ];
  for (const { why, with_, ofGateway, ofListener } of cases)
    it(`reports Programmed ${ofGateway}, of a listener ${ofListener}: ${why}`, () => {
      const { conditions, listeners } = statusOf(gateway([listener('db', 5432)]), [], with_);
      const of = (each?: readonly Condition[]) => each?.find(({ type }) => type === 'Programmed')?.reason;
      expect(of(conditions)).to.equal(ofGateway);
      expect(of(listeners[0]?.conditions)).to.equal(ofListener);
    });

  for (const listeners of [[listener('w', 80, 'HTTP')], [listener('a', 80), listener('b', 80)]])
    it(`reports that nothing is programmed without a valid listener: ${String(listeners.length)}`, () => {
      const { conditions } = statusOf(gateway(listeners));
      expect(reasons(conditions)[1]).to.equal('Programmed False Invalid');
    });

  it('keeps the time of a condition until its status changes', () => {
    const before = { ...mixed, status: statusOf(mixed) };
    const times = (status: ReturnType<typeof statusOf>) =>
      status.conditions.map((each) => each.lastTransitionTime);
    expect(times(statusOf(before, [], {}, later))).to.deep.equal([now, now]);
    expect(times(statusOf(before, [], { pods: waiting }, later))).to.deep.equal([now, later]);
  });

  it('is recognized among conditions of others, in any order', () => {
    const wanted = statusOf(mixed);
    const foreign = { ...wanted.conditions[0], type: 'example.com/Audited' } as Condition;
    const status = {
      ...wanted,
      conditions: [foreign, ...wanted.conditions.toReversed()],
      listeners: wanted.listeners
        .map((each) => ({ ...each, conditions: [foreign, ...each.conditions] }))
        .toReversed(),
    };
    expect(hasGatewayStatus({ ...mixed, status }, wanted)).to.be.true;
    expect(hasGatewayStatus({ ...mixed, status: { ...status, addresses: [] } }, wanted)).to.be.false;
    expect(
      hasGatewayStatus({ ...mixed, status: { ...status, listeners: status.listeners.slice(1) } }, wanted),
    ).to.be.false;
    expect(hasGatewayStatus(mixed, wanted)).to.be.false;
  });
});

describe('the status of a route', () => {
  const web = gateway([listener('db', 5432)]);
  const theirs = { parentRef: { name: 'other' }, controllerName: 'example.com/other', conditions: [] };
  const world = lookupIn(worldOf(backend('a', ['192.0.2.1'])));
  const parentsOf = (of: Route, siblings: readonly Route[] = [of], time = now) =>
    routeParents(
      of,
      { gateway: (key) => (key === 'edge/web' ? web : undefined), routesOf: () => siblings },
      world,
      time,
    );

  it('has an entry for each reference to a Gateway of this controller', () => {
    const parentRefs = [
      { name: 'web', sectionName: 'db' },
      { name: 'web', sectionName: 'gone' },
      { name: 'of-another' },
      { name: 'web', kind: 'Service', group: '' },
    ];
    const entries = parentsOf(
      route(
        [
          { name: 'a', port: 80 },
          { name: 'x', port: 80 },
        ],
        { parentRefs },
      ),
    );
    expect(
      entries.map(({ parentRef, conditions }) => [parentRef.sectionName, ...reasons(conditions)]),
    ).to.deep.equal([
      ['db', 'Accepted True Accepted', 'ResolvedRefs False BackendNotFound'],
      ['gone', 'Accepted False NoMatchingParent', 'ResolvedRefs False BackendNotFound'],
    ]);
    expect(entries[0]?.parentRef).to.deep.equal({
      group: 'gateway.networking.k8s.io',
      kind: 'Gateway',
      namespace: 'edge',
      name: 'web',
      sectionName: 'db',
    });
  });

  it('keeps entries of other controllers, and drops its own once the Gateway is not its own', () => {
    const of = route([{ name: 'a', port: 80 }], { parentRefs: [{ name: 'of-another' }] });
    const mine = { ...theirs, controllerName };
    expect(parentsOf({ ...of, status: { parents: [mine, theirs] } })).to.deep.equal([theirs]);
  });

  it('keeps the time of a condition until its status changes', () => {
    const of = route([{ name: 'a', port: 80 }]);
    const before = { ...of, status: { parents: [theirs, ...parentsOf(of)] } };
    const parents = parentsOf(before, [before], later);
    expect(hasRouteParents(before, parents)).to.be.true;
  });

  it('names the route that serves the listener in its place', () => {
    const young = route([{ name: 'a', port: 80 }], { name: 'young', created: '2026-02-01T00:00:00Z' });
    const old = route([{ name: 'a', port: 80 }], { name: 'old' });
    const [ofYoung, ofOld] = [young, old].map((each) => parentsOf(each, [young, old])[0]?.conditions[0]);
    expect(ofYoung).to.include({ status: 'True', reason: 'Accepted' });
    expect(ofYoung?.message).to.equal(
      'The route is attached to listener "db" and gets no traffic there, since TCPRoute "edge/old" is older and serves it.',
    );
    expect(ofOld?.message).to.equal('The route is attached.');
  });
});

describe('the status of a GatewayClass', () => {
  it('accepts it, with the features that are supported, sorted', () => {
    const { conditions, supportedFeatures } = classStatus(gatewayClass, { spec: {} }, [], now);
    expect(reasons(conditions)).to.deep.equal([
      'Accepted True Accepted',
      'SupportedVersion True SupportedVersion',
    ]);
    expect(supportedFeatures.map(({ name }) => name)).to.deep.equal([
      'Gateway',
      'ReferenceGrant',
      'TCPRoute',
      'TLSRoute',
      'TLSRouteModeMixed',
      'TLSRouteModeTerminate',
      'UDPRoute',
    ]);
  });

  it('names kinds that are missing, and what is wrong with its parameters', () => {
    const { conditions } = classStatus(gatewayClass, { problem: 'no such object' }, ['UDPRoute'], now);
    expect(reasons(conditions)).to.deep.equal([
      'Accepted False InvalidParameters',
      'SupportedVersion False UnsupportedVersion',
    ]);
    expect(conditions[0]?.message).to.equal('no such object');
    expect(conditions[1]?.message).to.include('no supported version of UDPRoute');
  });
});
