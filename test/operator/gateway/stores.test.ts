import { expect } from 'chai';
import type {
  EndpointSlice,
  Gateway,
  PolicyTarget,
  ReferenceGrant,
  Route,
  TrafficPolicy,
} from '../../../src/gateway/types.ts';
import type { KubeObject } from '../../../src/kube/object.ts';
import type { Store } from '../../../src/kube/store.ts';
import type { EndpointSliceObject, TrafficPolicyObject } from '../../../src/operator/gateway/kinds.ts';
import { GatewayStores } from '../../../src/operator/gateway/stores.ts';
import { strippedNamespace, strippedService, strippedSlice } from '../../../src/operator/gateway/stripped.ts';
import {
  backend,
  gateway,
  gatewayClass,
  listener,
  policy,
  route,
  slice,
  target,
} from '../../gateway/world.ts';

let version = 0;

/** `object` as the API server sends it, newer than all before. */
function sent<T extends object>(kind: string, object: T & { metadata: object }): T & KubeObject {
  version += 1;
  const metadata = { uid: 'u', ...object.metadata, resourceVersion: String(version) };
  return { apiVersion: 'v1', kind, ...object, metadata } as unknown as T & KubeObject;
}

function put<T extends KubeObject>(store: Store<T>, object: T): void {
  store.set(store.pack(object));
}

const routeTo = (service: object): Route => route([{ name: 'pg', port: 80, ...service }]);
const grant: ReferenceGrant = {
  metadata: { name: 'grant', namespace: 'data' },
  spec: { from: [{ group: 'g', kind: 'TCPRoute', namespace: 'edge' }], to: [{ group: '', kind: 'Service' }] },
};

describe('stores of Gateways', () => {
  let stores: GatewayStores;
  let touched: string[];

  beforeEach(() => {
    stores = new GatewayStores();
    put(stores.classes, sent('GatewayClass', gatewayClass));
    put(stores.gateways, sent<Gateway>('Gateway', gateway([listener('db', 5432)])));
    put(stores.routes.TCPRoute, sent('TCPRoute', routeTo({})));
    touched = [];
    stores.subscribe((key, pace) => touched.push(`${key} ${pace}`));
    put(
      stores.routes.TCPRoute,
      sent('TCPRoute', { ...routeTo({}), metadata: { ...routeTo({}).metadata, generation: 2 } }),
    );
    touched.length = 0;
  });

  const zoned = (zone: string, addresses: string[]): EndpointSliceObject => {
    const endpoints = addresses.map((address) => ({ addresses: [address], zone, nodeName: zone, hints: {} }));
    return strippedSlice(sent<EndpointSlice>('EndpointSlice', slice('pg', endpoints)));
  };

  it('touch the Gateways of a Service if its endpoints change, soon', () => {
    put(stores.slices, zoned('a', ['192.0.2.1']));
    expect(touched.splice(0)).to.deep.equal(['gateway/edge/web soon']);
    put(stores.slices, zoned('a', ['192.0.2.2']));
    expect(touched).to.deep.equal(['gateway/edge/web soon']);
  });

  it('touch nobody for what is not read of a slice', () => {
    put(stores.slices, zoned('a', ['192.0.2.1']));
    touched.length = 0;
    put(stores.slices, zoned('b', ['192.0.2.1']));
    expect(touched).to.deep.equal([]);
  });

  it('touch nobody for slices of a Service that no route names', () => {
    put(
      stores.slices,
      strippedSlice(sent<EndpointSlice>('EndpointSlice', slice('mail', [{ addresses: ['192.0.2.1'] }]))),
    );
    expect(touched).to.deep.equal([]);
  });

  it('touch the routes of a Service, too, if it changes', () => {
    const { service } = backend('pg', []);
    put(stores.services, strippedService(sent('Service', service)));
    expect(touched.splice(0)).to.deep.equal(['tcproute/edge/route now', 'gateway/edge/web soon']);
    put(stores.services, strippedService(sent('Service', { ...service, status: { loadBalancer: {} } })));
    expect(touched, 'its status is not read').to.deep.equal([]);
  });

  it('touch routes and their Gateways by a grant in the namespace of a backend', () => {
    put(stores.grants, sent('ReferenceGrant', grant));
    expect(touched, 'no route leaves its namespace').to.deep.equal([]);
    const distant = routeTo({ namespace: 'data' });
    put(
      stores.routes.TCPRoute,
      sent('TCPRoute', { ...distant, metadata: { ...distant.metadata, generation: 3 } }),
    );
    touched.length = 0;
    put(stores.grants, sent('ReferenceGrant', grant));
    expect(touched).to.deep.equal(['tcproute/edge/route now', 'gateway/edge/web soon']);
  });

  it('touch the routes of a namespace by its labels, and by nothing else of it', () => {
    const namespace = (labels: object, status: object) =>
      strippedNamespace(sent('Namespace', { metadata: { name: 'edge', labels }, status }));
    put(stores.namespaces, namespace({ team: 'a' }, {}));
    expect(touched.splice(0)).to.deep.equal(['tcproute/edge/route now', 'gateway/edge/web soon']);
    put(stores.namespaces, namespace({ team: 'a' }, { phase: 'Active' }));
    expect(touched).to.deep.equal([]);
  });

  it('touch the Gateway that a route leaves, the one that it goes to, and the routes there', () => {
    const sibling = route([], { name: 'sibling', parentRefs: [{ name: 'other' }] });
    put(stores.routes.TCPRoute, sent('TCPRoute', sibling));
    touched.length = 0;
    const moved = route([], { parentRefs: [{ name: 'other' }] });
    put(
      stores.routes.TCPRoute,
      sent('TCPRoute', { ...moved, metadata: { ...moved.metadata, generation: 3 } }),
    );
    expect(touched).to.deep.equal([
      'tcproute/edge/route now',
      'gateway/edge/web now',
      'gateway/edge/other now',
      'tcproute/edge/sibling now',
    ]);
  });

  it('touch no Gateway for the status of a route, and no route for that of a Gateway', () => {
    const { metadata } = routeTo({});
    put(
      stores.routes.TCPRoute,
      sent('TCPRoute', { ...routeTo({}), metadata: { ...metadata, generation: 2 }, status: { parents: [] } }),
    );
    expect(touched.splice(0)).to.deep.equal(['tcproute/edge/route now']);
    put(
      stores.gateways,
      sent<Gateway>('Gateway', { ...gateway([listener('db', 5432)]), status: { listeners: [] } }),
    );
    expect(touched).to.deep.equal(['gateway/edge/web now']);
  });

  it('touch the Gateways of a class, and forget a route that is gone', () => {
    put(stores.classes, sent('GatewayClass', gatewayClass));
    expect(touched.splice(0)).to.deep.equal(['class//realm now', 'gateway/edge/web now']);
    const [packed] = stores.routes.TCPRoute.all();
    if (packed !== undefined) stores.routes.TCPRoute.remove(packed);
    expect(touched.splice(0)).to.deep.equal(['tcproute/edge/route now', 'gateway/edge/web now']);
    put(stores.slices, zoned('a', ['192.0.2.1']));
    expect(touched).to.deep.equal([]);
    expect(stores.routesOf('edge/web')).to.deep.equal([]);
  });

  describe('with policies', () => {
    const versioned = (
      name: string,
      generation: number,
      targets: readonly PolicyTarget[],
    ): TrafficPolicyObject => {
      const { kind, apiVersion: _version, ...rest } = policy(name, { targetRefs: targets });
      return sent<TrafficPolicy>(kind, { ...rest, metadata: { ...rest.metadata, uid: name, generation } });
    };
    const ofWeb = target('Gateway', 'web');
    const ofListener = target('Gateway', 'web', 'db');

    it('touch the Gateway of a policy, that of its route, and policies with a target in common', () => {
      put(stores.policies.store, versioned('a', 1, [ofListener]));
      const ofGateway = ['gateway/edge/web now', 'tcproute/edge/route now'];
      expect(touched.splice(0)).to.deep.equal(['policy/edge/a now', ...ofGateway]);
      put(stores.policies.store, versioned('b', 1, [ofWeb]));
      expect(touched.splice(0)).to.deep.equal(['policy/edge/b now', ...ofGateway, 'policy/edge/a now']);
      put(stores.policies.store, versioned('c', 1, [target('TCPRoute', 'route')]));
      expect(touched).to.deep.equal(['policy/edge/c now', ...ofGateway.toReversed()]);
    });

    it('touch the routes of endpoints that change, too, whose ports a range may leave no room', () => {
      put(stores.policies.store, versioned('a', 1, [ofListener]));
      touched.length = 0;
      put(stores.slices, zoned('a', ['192.0.2.1']));
      expect(touched).to.deep.equal(['tcproute/edge/route soon', 'gateway/edge/web soon']);
    });

    it('are one object for each version, so that what is made of them can be remembered', () => {
      const read = () => stores.lookup.policies('Gateway', 'edge', 'web')[0];
      put(stores.policies.store, versioned('a', 1, [ofWeb]));
      for (const other of ['b', 'c', 'd', 'e', 'f']) put(stores.policies.store, versioned(other, 1, []));
      const first = read();
      expect(read()).to.equal(first);
      put(stores.policies.store, versioned('a', 2, [ofWeb]));
      expect(read()?.metadata.generation).to.equal(2);
    });

    it('touch a target that a policy no longer has, and nobody for its status', () => {
      put(stores.policies.store, versioned('a', 1, [ofWeb]));
      touched.length = 0;
      put(stores.policies.store, versioned('a', 1, [ofWeb]));
      expect(touched.splice(0)).to.deep.equal(['policy/edge/a now']);
      put(stores.policies.store, versioned('a', 2, [target('UDPRoute', 'other')]));
      expect(touched).to.include('gateway/edge/web now');
      expect(stores.lookup.policies('Gateway', 'edge', 'web')).to.deep.equal([]);
    });

    it('touch the policies of a Gateway and of a route that change', () => {
      put(stores.policies.store, versioned('a', 1, [ofListener, target('TCPRoute', 'route')]));
      touched.length = 0;
      const { metadata, spec } = gateway([listener('db', 5432)]);
      put(stores.gateways, sent<Gateway>('Gateway', { metadata: { ...metadata, generation: 9 }, spec }));
      expect(touched.splice(0)).to.include('policy/edge/a now');
      put(
        stores.routes.TCPRoute,
        sent('TCPRoute', { ...routeTo({}), metadata: { ...routeTo({}).metadata, generation: 3 } }),
      );
      expect(touched).to.include('policy/edge/a now');
    });
  });
});
