import type { Backend } from '../api/relay.ts';
import type { EndpointSpec } from '../api/schema/endpoint.ts';
import type { TrafficPolicySpec } from '../api/schema/traffic-policy.ts';
import { backendAddresses, type EndpointAddress } from './endpoints.ts';
import { backendNamespace, backendRefs, resolvedBackend } from './references.ts';
import type { Lookup, Route } from './types.ts';
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

function sharesOf(route: Route, { backends, morePorts = 0 }: Dialling, lookup: Lookup): Share[] {
  return backendRefs(route).flatMap((ref) => {
    const { weight = 1 } = ref;
    if (weight === 0) return [];
    const backend = resolvedBackend(ref, route, lookup);
    if ('reason' in backend) return [{ weight, endpoints: [] }];
    const slices = lookup.slices(backendNamespace(route, ref), ref.name);
    const found = backendAddresses(backend.service, backend.port, slices, backends);
    return [{ weight, endpoints: found.filter(({ port }) => port + morePorts <= maxPort) }];
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
