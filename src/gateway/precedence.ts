import type { Route } from './types.ts';

/** The route among `routes` that serves a listener without hostnames; undefined if there is none. */
export function servingRoute(routes: readonly Route[]): Route | undefined {
  return byPrecedence(routes)[0];
}

/** `routes` in the order in which they get what several want: the oldest first, then by `NAMESPACE/NAME`. */
export function byPrecedence(routes: readonly Route[]): Route[] {
  return routes.toSorted((a, b) => (age(a) < age(b) ? -1 : 1));
}

function age({ metadata: { creationTimestamp = '', namespace, name } }: Route): string {
  return `${creationTimestamp} ${namespace}/${name}`; // RFC 3339 in UTC sorts as text
}
