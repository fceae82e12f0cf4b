import type { Relay } from '../api/relay.ts';
import { endpointFamilies } from '../api/rules.ts';
import type { IpFamily } from '../lib/ip-address.ts';
import type { Problem } from '../lib/problem.ts';

/** The remedy if a live Service cannot be changed in place. */
export const recreateRemedy =
  'delete the Service, or set service.recreatePolicy: WhenNeeded (its cluster IPs, node ports and load-balancer address are lost)';

/** The families of a Service, as in its `spec`. */
export type ServiceFamilies = {
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  /** The primary family first; absent if the cluster chooses. */
  readonly ipFamilies?: readonly IpFamily[];
};

/** Whether Services of a cluster can have both families. */
export type ClusterStack = 'single' | 'dual';

/** The families of a live Service. */
export type ObservedFamilies = Required<ServiceFamilies>;

/**
 * The families to apply to the Service of `relay`: what its endpoints bind, unless the user chose.
 *
 * The result can always be applied: if the live Service cannot get the wanted families, it is what that Service has, and
 * {@link immutableFamilies} reports that. PreferDualStack comes with a single family only while there is no Service, or one
 * with that family alone: the API server adds the second one if the cluster has it, and rejects its removal.
 *
 * @param observed  families of the live Service; undefined if there is none yet.
 * @param stack     what Services of the cluster can have. The API server gives a Service that prefers two families what the
 *   cluster has when it is created, and never looks again; so the second one must be named, which a cluster that lacks it
 *   refuses.
 */
export function serviceFamilies(
  relay: Relay,
  observed: ObservedFamilies | undefined,
  stack: ClusterStack = 'single',
): ServiceFamilies {
  const wanted = wantedFamilies(relay);
  if (observed === undefined) return wanted;
  if (immutableFamilies(relay, observed) !== undefined) return observed;
  if (wanted.ipFamilies !== undefined && !isExtensible(wanted)) return wanted;
  return { ...wanted, ...inObservedOrder(wanted, observed, stack) };
}

/** Whether the live Service has one family and `relay` prefers two, so that what it can get depends on the cluster. */
export function lacksPreferredFamily(relay: Relay, observed: ObservedFamilies): boolean {
  return isExtensible(wantedFamilies(relay)) && observed.ipFamilies.length === 1;
}

/** Whether the cluster adds the families that it has. */
function isExtensible({ ipFamilyPolicy, ipFamilies = [] }: ServiceFamilies): boolean {
  return ipFamilyPolicy === 'PreferDualStack' && ipFamilies.length < 2;
}

/**
 * The wanted families that the live Service cannot get: its primary family never changes.
 *
 * @returns undefined if it can get them all.
 */
export function immutableFamilies(relay: Relay, observed: ObservedFamilies): Problem | undefined {
  const { ipFamilies } = wantedFamilies(relay);
  const [primary] = ipFamilies ?? [];
  const [live] = observed.ipFamilies;
  if (primary === undefined || live === undefined || primary === live) return undefined;
  return {
    path: ['spec', 'service', 'ipFamilies'],
    what: `should have ${primary} first, and the primary family of a live Service (now ${live}) cannot change`,
    value: ipFamilies,
    remedy: `${recreateRemedy}, or keep ${live} first`,
  };
}

function wantedFamilies(relay: Relay): ServiceFamilies {
  const { ipFamilies: chosen, ipFamilyPolicy } = relay.service;
  // Endpoints of a Gateway come and go with routes and backends, and the addresses of its Service have to stay.
  const bound = relay.servicePorts === undefined ? endpointFamilies(relay) : [];
  const only = chosen ?? (bound.length === 1 ? bound : undefined);
  const policy = ipFamilyPolicy ?? (only?.length === 1 ? 'SingleStack' : 'PreferDualStack');
  if (only === undefined) return { ipFamilyPolicy: policy };
  return { ipFamilyPolicy: policy, ipFamilies: policy === 'RequireDualStack' ? both(only) : only };
}

/** Both families: `families` with the missing one appended. */
function both(families: readonly IpFamily[]): IpFamily[] {
  return [...new Set([...families, 'IPv4', 'IPv6'] as const)];
}

function inObservedOrder(
  wanted: ServiceFamilies,
  { ipFamilies }: ObservedFamilies,
  stack: ClusterStack,
): Pick<ServiceFamilies, 'ipFamilies'> {
  if (wanted.ipFamilyPolicy === 'SingleStack') return { ipFamilies: ipFamilies.slice(0, 1) };
  const isLeftToCluster = wanted.ipFamilyPolicy === 'PreferDualStack' && ipFamilies.length === 1;
  return isLeftToCluster && stack === 'single' ? {} : { ipFamilies: both(ipFamilies) };
}
