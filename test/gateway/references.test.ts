import { expect } from 'chai';
import { resolvedRefs } from '../../src/gateway/references.ts';
import type { BackendRef, ReferenceGrant, RouteKind } from '../../src/gateway/types.ts';
import { backend, lookupIn, route, type World, worldOf } from './world.ts';

const local = backend('db', ['192.0.2.1']);
const distant = backend('db', ['192.0.2.1'], { namespace: 'data' });
const external = { ...local.service, spec: { ...local.service.spec, type: 'ExternalName' } };
const group = 'gateway.networking.k8s.io';

function grant(
  from: Partial<ReferenceGrant['spec']['from'][number]>,
  to: Partial<ReferenceGrant['spec']['to'][number]> = {},
): ReferenceGrant {
  return {
    metadata: { name: 'grant', namespace: 'data' },
    spec: {
      from: [{ group, kind: 'TCPRoute', namespace: 'edge', ...from }],
      to: [{ group: '', kind: 'Service', ...to }],
    },
  };
}

type Case = {
  readonly why: string;
  readonly ref: BackendRef;
  readonly kind?: RouteKind;
  readonly world?: World;
  readonly reason: string;
};
const toData = { name: 'db', namespace: 'data', port: 80 };
const granted = (grants: ReferenceGrant[]): World => ({ ...worldOf(distant), grants });

const cases: Case[] = [
  { why: 'a Service and its port', ref: { name: 'db', port: 80 }, reason: 'ResolvedRefs' },
  { why: 'weight 0', ref: { name: 'db', port: 80, weight: 0 }, reason: 'ResolvedRefs' },
  { why: 'no such Service', ref: { name: 'mail', port: 80 }, reason: 'BackendNotFound' },
  { why: 'no such port', ref: { name: 'db', port: 81 }, reason: 'BackendNotFound' },
  { why: 'no port', ref: { name: 'db' }, reason: 'BackendNotFound' },
  { why: 'a port of TCP', ref: { name: 'db', port: 80 }, kind: 'UDPRoute', reason: 'UnsupportedProtocol' },
  { why: 'another kind', ref: { name: 'db', port: 80, kind: 'Pod' }, reason: 'InvalidKind' },
  { why: 'another group', ref: { name: 'db', port: 80, group: 'example.com' }, reason: 'InvalidKind' },
  {
    why: 'an ExternalName',
    ref: { name: 'db', port: 80 },
    world: { services: [external] },
    reason: 'UnsupportedValue',
  },
  { why: 'another namespace without a grant', ref: toData, world: granted([]), reason: 'RefNotPermitted' },
  { why: 'a grant', ref: toData, world: granted([grant({})]), reason: 'ResolvedRefs' },
  {
    why: 'a grant for this Service',
    ref: toData,
    world: granted([grant({}, { name: 'db' })]),
    reason: 'ResolvedRefs',
  },
  {
    why: 'a grant for another Service',
    ref: toData,
    world: granted([grant({}, { name: 'x' })]),
    reason: 'RefNotPermitted',
  },
  {
    why: 'a grant for another kind of route',
    ref: toData,
    world: granted([grant({ kind: 'UDPRoute' })]),
    reason: 'RefNotPermitted',
  },
  {
    why: 'a grant for another namespace',
    ref: toData,
    world: granted([grant({ namespace: 'x' })]),
    reason: 'RefNotPermitted',
  },
  {
    why: 'a grant for Secrets',
    ref: toData,
    world: granted([grant({}, { kind: 'Secret' })]),
    reason: 'RefNotPermitted',
  },
  {
    why: 'a grant in the namespace of the route, not in that of the Service',
    ref: toData,
    world: { ...worldOf(distant), grants: [{ ...grant({}), metadata: { name: 'g', namespace: 'edge' } }] },
    reason: 'RefNotPermitted',
  },
];

describe('a reference to a backend', () => {
  for (const { why, ref, kind = 'TCPRoute', world = worldOf(local), reason } of cases)
    it(`is ${reason}: ${why}`, () => {
      const found = resolvedRefs(route([ref], { kind }), lookupIn(world));
      expect(found.reason).to.equal(reason);
      expect(found.status).to.equal(reason === 'ResolvedRefs' ? 'True' : 'False');
    });

  it('that is not permitted does not reveal whether the Service exists', () => {
    const message = (world: World): string => resolvedRefs(route([toData]), lookupIn(world)).message;
    expect(message(granted([]))).to.equal(message({}));
  });

  it('is reported with every other fault of the route, the first as the reason', () => {
    const refs = [{ name: 'db', port: 80 }, { name: 'x', port: 1 }, { name: 'db', port: 1 }, toData];
    const found = resolvedRefs(route(refs), lookupIn(worldOf(local)));
    expect(found.reason).to.equal('BackendNotFound');
    expect(found.message).to.equal(
      'Service "edge/x" does not exist. Service "edge/db" has no port 1. No ReferenceGrant in namespace "data" lets a TCPRoute of namespace "edge" refer to Service "db".',
    );
  });
});
