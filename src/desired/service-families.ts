import type { Relay } from '../api/relay.ts';
import { endpointFamilies } from '../api/rules.ts';
import type { IpFamily } from '../lib/ip-address.ts';
import type { Problem } from '../lib/problem.ts';

/** What helps where a live Service cannot take a change. */
export const recreateRemedy =
  'delete the Service, or set service.recreatePolicy: WhenNeeded (its cluster IPs, node ports and load-balancer address are lost)';

/** The families of a Service, as its `spec` holds them. */
export type ServiceFamilies = {
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  /** The primary first; absent where the cluster shall choose. */
  readonly ipFamilies?: readonly IpFamily[];
};

/** The families of a live Service. */
export type ObservedFamilies = Required<ServiceFamilies>;

/**
 * The families to apply to the Service of `relay`: what its endpoints bind, unless the user chose.
 *
 * The result can always be applied: where the live Service cannot take what is wanted, it is what that Service
 * has already, and {@link immutableFamilies} says so. PreferDualStack never goes with one family, since the API
 * server takes that once and refuses it ever after.
 *
 * @param observed  of the live Service; undefined where there is none yet.
 */
export function serviceFamilies(relay: Relay, observed: ObservedFamilies | undefined): ServiceFamilies {
  const wanted = wantedFamilies(relay);
  if (observed === undefined) return wanted;
  if (immutableFamilies(relay, observed) !== undefined) return observed;
  if (wanted.ipFamilies !== undefined) return wanted;
  return { ...wanted, ...inObservedOrder(wanted, observed) };
}

/**
 * What of the wanted families the live Service cannot take: its primary family never changes.
 *
 * @returns undefined where it can take them.
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
  const bound = endpointFamilies(relay);
  const only = chosen ?? (bound.length === 1 ? bound : undefined);
  const policy = ipFamilyPolicy ?? (only?.length === 1 ? 'SingleStack' : 'PreferDualStack');
  if (only === undefined) return { ipFamilyPolicy: policy };
  return { ipFamilyPolicy: policy, ipFamilies: policy === 'SingleStack' ? only : both(only) };
}

/** `families` with the one that is missing behind. */
function both(families: readonly IpFamily[]): IpFamily[] {
  return [...new Set([...families, 'IPv4', 'IPv6'] as const)];
}

/** A Service that prefers two families and has one lives in a cluster that has no more. */
function inObservedOrder(
  wanted: ServiceFamilies,
  observed: ObservedFamilies,
): Pick<ServiceFamilies, 'ipFamilies'> {
  const { ipFamilies, ipFamilyPolicy } = observed;
  if (wanted.ipFamilyPolicy === 'SingleStack') return { ipFamilies: ipFamilies.slice(0, 1) };
  const clusterHasOne = ipFamilies.length === 1 && ipFamilyPolicy !== 'SingleStack';
  return clusterHasOne ? {} : { ipFamilies: both(ipFamilies) };
}
