import { gatewayDecision, type GatewayDecision } from '../../src/gateway/gateway-decision.ts';
import { targetsOf } from '../../src/gateway/policies.ts';
import type {
  BackendRef,
  BackendService,
  EndpointSlice,
  Gateway,
  GatewayClass,
  Labels,
  Listener,
  Lookup,
  ParentRef,
  PolicyTarget,
  ReferenceGrant,
  Route,
  RouteKind,
  SliceEndpoint,
  TrafficPolicy,
} from '../../src/gateway/types.ts';
import { controllerName } from '../../src/gateway/types.ts';

/** What exists besides a Gateway and its routes. */
export type World = {
  readonly services?: readonly BackendService[];
  readonly slices?: readonly EndpointSlice[];
  readonly grants?: readonly ReferenceGrant[];
  readonly namespaces?: Readonly<Record<string, Labels>>;
  /** Specs of RealmGatewayParameters, by `NAMESPACE/NAME`. */
  readonly parameters?: Readonly<Record<string, object>>;
  readonly policies?: readonly TrafficPolicy[];
};

export function lookupIn(world: World): Lookup {
  const { services = [], slices = [], grants = [], namespaces = {}, parameters = {} } = world;
  const { policies = [] } = world;
  return {
    service: (namespace, name) =>
      services.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    slices: (namespace, name) =>
      slices.filter(
        ({ metadata }) =>
          metadata.namespace === namespace && metadata.labels?.['kubernetes.io/service-name'] === name,
      ),
    grants: (namespace) => grants.filter(({ metadata }) => metadata.namespace === namespace),
    namespaceLabels: (name) => namespaces[name],
    policies: (kind, namespace, name) =>
      policies.filter(
        (each) =>
          each.metadata.namespace === namespace &&
          targetsOf(each).some((target) => target.kind === kind && target.name === name),
      ),
    parameters: (namespace, name) => {
      const spec = parameters[`${namespace}/${name}`];
      const apiVersion = 'realm-operator.dev/v1alpha1';
      return spec && { apiVersion, kind: 'RealmGatewayParameters', metadata: { name, namespace }, spec };
    },
  };
}

export const gatewayClass: GatewayClass = { metadata: { name: 'realm' }, spec: { controllerName } };

/** The Gateway `edge/web`. */
export function gateway(listeners: readonly Listener[], more: Partial<Gateway['spec']> = {}): Gateway {
  return {
    metadata: { name: 'web', namespace: 'edge', uid: 'u', generation: 3 },
    spec: { gatewayClassName: 'realm', listeners, ...more },
  };
}

export function listener(
  name: string,
  port: number,
  protocol = 'TCP',
  more: Partial<Listener> = {},
): Listener {
  return { name, port, protocol, ...more };
}

type RouteParts = {
  readonly kind?: RouteKind;
  readonly name?: string;
  readonly namespace?: string;
  readonly created?: string;
  readonly parentRefs?: readonly ParentRef[];
};

/** A route in the namespace of the Gateway, attached to all its listeners by default. */
export function route(backendRefs: readonly BackendRef[], parts: RouteParts = {}): Route {
  const { kind = 'TCPRoute', name = 'route', namespace = 'edge' } = parts;
  const { created = '2026-01-01T00:00:00Z', parentRefs = [{ name: 'web', namespace: 'edge' }] } = parts;
  return {
    kind,
    metadata: { name, namespace, generation: 1, creationTimestamp: created },
    spec: { parentRefs, rules: [{ backendRefs }] },
  };
}

/** A Service of one port, and a slice of it with these addresses on port 8080. */
export function backend(
  name: string,
  addresses: readonly string[],
  { protocol = 'TCP', namespace = 'edge' }: { protocol?: string; namespace?: string } = {},
): { service: BackendService; slice: EndpointSlice } {
  return {
    service: {
      metadata: { name, namespace },
      spec: { ipFamilies: ['IPv4'], ports: [{ name: 'p', port: 80, protocol }] },
    },
    slice: slice(
      name,
      addresses.map((address) => ({ addresses: [address] })),
      { protocol, namespace },
    ),
  };
}

export function slice(
  service: string,
  endpoints: readonly SliceEndpoint[],
  { protocol = 'TCP', namespace = 'edge', addressType = 'IPv4', port = 8080, portName = 'p' } = {},
): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': service };
  return {
    metadata: { name: `${service}-${addressType}`, namespace, labels },
    addressType,
    ports: [{ name: portName, port, protocol }],
    endpoints,
  };
}

/** The RealmTrafficPolicy `edge/NAME` with this spec. */
export function policy(
  name: string,
  spec: object,
  created = '2026-01-01T00:00:00Z',
): TrafficPolicy & { readonly apiVersion: string; readonly kind: string } {
  return {
    apiVersion: 'realm-operator.dev/v1alpha1',
    kind: 'RealmTrafficPolicy',
    metadata: { name, namespace: 'edge', generation: 4, creationTimestamp: created },
    spec,
  };
}

/** A reference to a target of a policy: a Gateway, a listener of it, or a route. */
export function target(kind: string, name: string, sectionName?: string): PolicyTarget {
  return {
    group: 'gateway.networking.k8s.io',
    kind,
    name,
    ...(sectionName !== undefined && { sectionName }),
  };
}

/** A world of these backends. */
export function worldOf(...backends: readonly ReturnType<typeof backend>[]): World {
  return { services: backends.map(({ service }) => service), slices: backends.map((each) => each.slice) };
}

export function decide(of: Gateway, routes: readonly Route[], world: World = {}): GatewayDecision {
  return gatewayDecision(of, gatewayClass, routes, lookupIn(world));
}
