import { isServerName, matchingName } from '../lib/server-name.ts';
import type { Listener, Route } from './types.ts';

/** The hostname of `listener`; '' for every one. */
export function hostnameOf({ hostname = '' }: Pick<Listener, 'hostname'>): string {
  return hostname;
}

/**
 * The names that both `listener` and `route` have: of a wildcard and what is below it, what is below; '' for every name. Empty if
 * they have none in common. Pure.
 *
 * Source: Gateway API, TLSRouteSpec, hostnames.
 */
export function sharedHostnames(listener: Pick<Listener, 'hostname'>, { spec }: Route): string[] {
  const of = hostnameOf(listener);
  const wanted = spec.hostnames === undefined || spec.hostnames.length === 0 ? [''] : spec.hostnames;
  return [...new Set(wanted.flatMap((host) => intersection(of, host) ?? []))];
}

function intersection(a: string, b: string): string | undefined {
  if (isBelow(a, b)) return a;
  return isBelow(b, a) ? b : undefined;
}

/** Whether `host` is `other`, or one of the names that it stands for. */
export function isBelow(host: string, other: string): boolean {
  if (other === '' || host === other) return true;
  // `*.a.b` is below `*.b`, as every name that it stands for is
  return (
    other.startsWith('*.') &&
    host !== '' &&
    host.slice(host.startsWith('*.') ? 1 : 0).endsWith(other.slice(1))
  );
}

/** A route, and the names by which clients reach it. */
export type NamedRoute = { readonly route: Route; readonly hosts: readonly string[] };

/**
 * The names of `listener` that lead to each of `routes`, which come in the order of precedence: a name leads to the first route
 * that has it. A name that no client of TLS can ask for leads to none, and so does one that belongs to another listener of the
 * port, by an exact name or a longer wildcard. Pure.
 *
 * @param ofPort  every valid listener of its port.
 */
export function namedRoutes(
  listener: Listener,
  routes: readonly Route[],
  ofPort: readonly Listener[],
): NamedRoute[] {
  const own = hostnameOf(listener);
  const listening = new Set(ofPort.map(hostnameOf));
  const taken = new Set<string>();
  return routes.map((route) => {
    const hosts = sharedHostnames(listener, route).filter(
      (host) =>
        (host === '' || isServerName(host)) &&
        !taken.has(host) &&
        matchingName(host, (key) => listening.has(key)) === own,
    );
    for (const host of hosts) taken.add(host);
    return { route, hosts };
  });
}
