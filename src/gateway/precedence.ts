import type { NamespacedMeta, Route } from './types.ts';

/** The route among `routes` that serves a listener without hostnames; undefined if there is none. */
export function servingRoute(routes: readonly Route[]): Route | undefined {
  return byPrecedence(routes)[0];
}

/** `objects` in the order in which they get what several want: the oldest first, then by `NAMESPACE/NAME`. */
export function byPrecedence<T extends { readonly metadata: NamespacedMeta }>(objects: readonly T[]): T[] {
  return objects.toSorted((a, b) => (age(a.metadata) < age(b.metadata) ? -1 : 1));
}

function age({ creationTimestamp = '', namespace, name }: NamespacedMeta): string {
  return `${creationTimestamp} ${namespace}/${name}`; // RFC 3339 in UTC sorts as text
}
