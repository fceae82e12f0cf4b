import type { Finding } from '../api/dated-conditions.ts';
import { hostnameOf, sharedHostnames } from './hostnames.ts';
import type { JudgedListener } from './listeners.ts';
import { matchesSelector } from './label-selector.ts';
import { type Gateway, gatewayGroup, type Lookup, type ParentRef, type Route } from './types.ts';

/** What a reference of a route to a Gateway comes to. */
export type Attachment = {
  /** The listeners that the route is attached to, valid or not; none if it is not accepted. */
  readonly listeners: readonly JudgedListener[];
  readonly accepted: Finding;
};

/** The message of a route that is attached, if there is nothing else to report. */
export const attachedMessage = 'The route is attached.';

/** `NAMESPACE/NAME` of the Gateway that `parentRef` of `route` names; undefined if it names another kind. */
export function parentKey({ metadata }: Route, parentRef: ParentRef): string | undefined {
  const { group = gatewayGroup, kind = 'Gateway', namespace = metadata.namespace, name } = parentRef;
  return group === gatewayGroup && kind === 'Gateway' ? `${namespace}/${name}` : undefined;
}

/** Attaches `route` by its `parentRef` to `gateway`, which has these `listeners`. Pure. */
export function attachment(
  route: Route,
  parentRef: ParentRef,
  { gateway, listeners }: { readonly gateway: Gateway; readonly listeners: readonly JudgedListener[] },
  lookup: Lookup,
): Attachment {
  const meant = listeners.filter(({ spec }) => isMeant(spec, parentRef));
  if (meant.length === 0) return refused('NoMatchingParent', noMatch(gateway, parentRef));
  const ofKind = meant.filter(({ kinds }) => kinds.includes(route.kind));
  if (ofKind.length === 0) {
    const message = `No listener that parentRef names takes a ${route.kind}: see its protocol and allowedRoutes.kinds.`;
    return refused('NotAllowedByListeners', message);
  }
  const named = ofKind.filter(({ spec }) => sharedHostnames(spec, route).length > 0);
  if (named.length === 0) return refused('NoMatchingListenerHostname', noHostname(ofKind, route));
  const denials = named.map((listener) => ({
    listener,
    denial: namespaceDenial(listener, route, gateway, lookup),
  }));
  const taken = denials.filter(({ denial }) => denial === undefined).map(({ listener }) => listener);
  if (taken.length > 0) return { listeners: taken, accepted: accepted('True', 'Accepted', attachedMessage) };
  return refused('NotAllowedByListeners', denials.flatMap(({ denial }) => denial ?? []).join(' '));
}

function isMeant({ name, port }: JudgedListener['spec'], parentRef: ParentRef): boolean {
  return (parentRef.sectionName ?? name) === name && (parentRef.port ?? port) === port;
}

function refused(reason: string, message: string): Attachment {
  return { listeners: [], accepted: accepted('False', reason, message) };
}

function accepted(status: Finding['status'], reason: string, message: string): Finding {
  return { type: 'Accepted', status, reason, message };
}

function noMatch({ metadata: { namespace, name } }: Gateway, { sectionName, port }: ParentRef): string {
  const asked = [
    ...(sectionName === undefined ? [] : [`called "${sectionName}"`]),
    ...(port === undefined ? [] : [`on port ${String(port)}`]),
  ];
  return `Gateway "${namespace}/${name}" has no listener ${asked.join(' ')}: see parentRef.sectionName and port.`;
}

function noHostname(listeners: readonly JudgedListener[], { spec: { hostnames = [] } }: Route): string {
  const names = listeners.map(({ spec }) => `"${spec.name}" has "${hostnameOf(spec)}"`).join(', ');
  return `hostnames ${hostnames.map((host) => `"${host}"`).join(', ')}: no listener that parentRef names has one of them (${names}).`;
}

function namespacesOf({ allowedRoutes: { namespaces = {} } = {} }: JudgedListener['spec']) {
  return namespaces;
}

/** Why `listener` accepts no route of the namespace of `route`; undefined if it does. */
function namespaceDenial(
  { spec }: JudgedListener,
  route: Route,
  gateway: Gateway,
  { namespaceLabels }: Lookup,
): string | undefined {
  const { from = 'Same', selector = {} } = namespacesOf(spec);
  const { namespace } = route.metadata;
  const isSame = namespace === gateway.metadata.namespace;
  if (from === 'All' || (from === 'Same' && isSame)) return undefined;
  const denial = `Listener "${spec.name}" takes no routes of namespace "${namespace}" (allowedRoutes.namespaces.from is ${from})`;
  if (from !== 'Selector') return `${denial}.`; // Same, None of ListenerSets, and what later versions add
  const labels = namespaceLabels(namespace);
  if (labels === undefined)
    return `${denial}: the operator does not know its labels; grant its account list and watch of namespaces.`;
  return matchesSelector(labels, selector) ? undefined : `${denial}: its labels do not match.`;
}
