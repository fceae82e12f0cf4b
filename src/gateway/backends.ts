import type { Backend } from '../api/relay.ts';
import type { EndpointSpec } from '../api/schema/endpoint.ts';
import type { TrafficPolicySpec } from '../api/schema/traffic-policy.ts';
import { backendAddresses, type EndpointAddress } from './endpoints.ts';
import { backendNamespace, backendRefs, resolvedBackend } from './references.ts';
import type { BackendRef, Lookup, Route } from './types.ts';
import { remoteWeights } from './weights.ts';

/** Where the clients of a route go. */
export type RouteBackends = {
  /** The endpoints of all backends, each once; [] if every backend refuses, or none has a weight above 0. */
  readonly remotes: EndpointSpec['remotes'];
  /** Which of them make up each backend; undefined if there is one. */
  readonly backends: readonly Backend[] | undefined;
};

/** How they are dialled. */
export type Dialling = Pick<TrafficPolicySpec, 'backends'> & {
  /** How many ports the listener has after the first one; those of the backends shift along. */
  readonly morePorts?: number;
};

const maxPort = 65_535;

type Share = { readonly weight: number; readonly endpoints: readonly EndpointAddress[] };

/**
 * The backends of `route` by their weights. One without endpoints, or that is not valid, refuses its share; one of weight 0 gets
 * nothing and is left out. Pure.
 *
 * Source: Gateway API, BackendRef: "If an invalid backend is requested to have 80% of connections, then 80% of connections must
 * be rejected instead."
 */
export function routeBackends(route: Route, dialling: Dialling, lookup: Lookup): RouteBackends {
  const shares = sharesOf(route, dialling, lookup);
  const positions = new Map<string, number>();
  const remotes: EndpointAddress[] = [];
  const backends = shares.map(({ weight, endpoints }): Backend => {
    if (endpoints.length === 0) return { weight, refuse: true };
    const listed = endpoints.map((each) => {
      const key = `${each.address} ${String(each.port)}`;
      const known = positions.get(key);
      if (known !== undefined) return known;
      positions.set(key, remotes.length);
      return remotes.push(each) - 1;
    });
    return { weight, remotes: listed };
  });
  const weights = flatWeights(backends, remotes.length);
  return {
    remotes: remotes.map(({ address, port }, index) => ({ address, port, weight: weights[index] ?? 1 })),
    backends: backends.length > 1 && remotes.length > 0 ? backends : undefined,
  };
}

/**
 * The endpoints of `route` that have no port for each one of a range, since the highest would be above 65535: the Services, each with
 * the ports of these endpoints. Pure.
 */
export function endpointsBeyond(
  route: Route,
  dialling: Dialling,
  lookup: Lookup,
): ReadonlyMap<string, number[]> {
  const beyond = new Map<string, number[]>();
  for (const ref of backendRefs(route)) {
    const ports = backendEndpoints(ref, route, dialling, lookup)
      .map(({ port }) => port)
      .filter((port) => !hasRoom(port, dialling));
    if (ports.length > 0)
      beyond.set(
        `${backendNamespace(route, ref)}/${ref.name}`,
        [...new Set(ports)].toSorted((a, b) => a - b),
      );
  }
  return beyond;
}

function hasRoom(port: number, { morePorts = 0 }: Dialling): boolean {
  return port + morePorts <= maxPort;
}

/** The endpoints of the backend that `ref` names; none if it cannot be used. */
function backendEndpoints(
  ref: BackendRef,
  route: Route,
  { backends }: Dialling,
  lookup: Lookup,
): readonly EndpointAddress[] {
  const backend = resolvedBackend(ref, route, lookup);
  if ('reason' in backend) return [];
  const slices = lookup.slices(backendNamespace(route, ref), ref.name);
  return backendAddresses(backend.service, backend.port, slices, backends);
}

function sharesOf(route: Route, dialling: Dialling, lookup: Lookup): Share[] {
  return backendRefs(route).flatMap((ref) => {
    const { weight = 1 } = ref;
    if (weight === 0) return [];
    const found = backendEndpoints(ref, route, dialling, lookup);
    return [{ weight, endpoints: found.filter(({ port }) => hasRoom(port, dialling)) }];
  });
}

/** The weight of each remote for a reader that knows no backends, as Realm: a part of the weight of each of its backends. */
function flatWeights(backends: readonly Backend[], remotes: number): number[] {
  const shares = new Array<number>(remotes).fill(0);
  for (const backend of backends)
    if ('remotes' in backend)
      for (const remote of backend.remotes)
        shares[remote] = (shares[remote] ?? 0) + backend.weight / backend.remotes.length;
  return remoteWeights(shares);
}
