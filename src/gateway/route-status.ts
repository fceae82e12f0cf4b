import { datedConditions, type Finding } from '../api/dated-conditions.ts';
import { sameJson } from '../lib/same-json.ts';
import { attachment, type Attachment, parentKey } from './attachment.ts';
import { parentRefsTo } from './gateway-decision.ts';
import { sharedHostnames } from './hostnames.ts';
import { type JudgedListener, judgedListeners } from './listeners.ts';
import { resolvedRefs } from './references.ts';
import { byPrecedence, servingRoute } from './precedence.ts';
import { rangeFault } from './route-endpoint.ts';
import {
  controllerName,
  type Gateway,
  gatewayGroup,
  type Lookup,
  type ParentRef,
  type Route,
  type RouteParentStatus,
} from './types.ts';

/** What the status of a route depends on besides what is looked up. */
export type RouteSurroundings = {
  /** The Gateway at `NAMESPACE/NAME` if this controller serves it. */
  readonly gateway: (key: string) => Gateway | undefined;
  /** The routes that may be attached to the Gateway at `NAMESPACE/NAME`. */
  readonly routesOf: (key: string) => readonly Route[];
};

/**
 * `status.parents` of `route`: the entries of other controllers as they are, then ours, one for each reference to a Gateway of
 * this controller. Pure.
 */
export function routeParents(
  route: Route,
  surroundings: RouteSurroundings,
  lookup: Lookup,
  now: string,
): RouteParentStatus[] {
  const { metadata, spec, status: { parents: previous = [] } = {} } = route;
  const { generation = 0 } = metadata;
  const resolved = resolvedRefs(route, lookup);
  const ours = (spec.parentRefs ?? []).flatMap((ref) => {
    const gateway = surroundings.gateway(parentKey(route, ref) ?? '');
    if (gateway === undefined) return [];
    const parentRef = complete(ref, gateway);
    const before = previous.find(
      (each) =>
        each.controllerName === controllerName && sameJson(complete(each.parentRef, gateway), parentRef),
    );
    const { accepted, listeners } = acceptance(route, ref, { gateway, surroundings, lookup });
    const findings = [accepted, withRanges(resolved, route, listeners, lookup)];
    const dating = { previous: before?.conditions ?? [], generation, now };
    return [{ parentRef, controllerName, conditions: datedConditions(findings, dating) }];
  });
  return [...previous.filter((each) => each.controllerName !== controllerName), ...ours];
}

/** Whether `parents` is what the status of `route` has. Pure. */
export function hasRouteParents({ status }: Route, parents: readonly RouteParentStatus[]): boolean {
  return sameJson(status?.parents ?? [], parents);
}

/** `ref` with its defaults, as clients compare it with the reference in the spec. */
function complete(ref: ParentRef, { metadata: { namespace } }: Gateway): ParentRef {
  return { group: gatewayGroup, kind: 'Gateway', namespace, ...ref };
}

type Surroundings = {
  readonly gateway: Gateway;
  readonly surroundings: RouteSurroundings;
  readonly lookup: Lookup;
};

function acceptance(
  route: Route,
  ref: ParentRef,
  { gateway, surroundings, lookup }: Surroundings,
): Attachment {
  const judged = judgedListeners(gateway, lookup);
  const { accepted, listeners } = attachment(route, ref, { gateway, listeners: judged }, lookup);
  const { namespace, name } = gateway.metadata;
  const others = surroundings.routesOf(`${namespace}/${name}`);
  const notes = listeners.flatMap((listener) => {
    const attached = attachedTo(listener, others, { gateway, judged, lookup });
    if (listener.spec.protocol === 'TLS') return namedPrecedence(listener, route, attached);
    const first = servingRoute(attached);
    return first === undefined || isSameRoute(first, route) ? [] : [precedence(listener, first)];
  });
  return { listeners, accepted: notes.length === 0 ? accepted : { ...accepted, message: notes.join(' ') } };
}

/** `resolved`, unless endpoints of the backends are left out by the port ranges of `listeners`. */
function withRanges(
  resolved: Finding,
  route: Route,
  listeners: readonly JudgedListener[],
  lookup: Lookup,
): Finding {
  const faults = listeners.flatMap((listener) => rangeFault(listener, route, lookup) ?? []);
  if (faults.length === 0) return resolved;
  const message = faults.join(' ');
  return resolved.status === 'True'
    ? { ...resolved, status: 'False', reason: 'UnsupportedValue', message }
    : { ...resolved, message: `${resolved.message} ${message}` };
}

function attachedTo(
  listener: JudgedListener,
  routes: readonly Route[],
  {
    gateway,
    judged,
    lookup,
  }: Omit<Surroundings, 'surroundings'> & { readonly judged: readonly JudgedListener[] },
): Route[] {
  return routes.filter((route) =>
    parentRefsTo(gateway, route).some((ref) =>
      attachment(route, ref, { gateway, listeners: judged }, lookup).listeners.includes(listener),
    ),
  );
}

function isSameRoute(a: Route, b: Route): boolean {
  return (
    a.kind === b.kind && a.metadata.namespace === b.metadata.namespace && a.metadata.name === b.metadata.name
  );
}

/** Which older routes have all the hostnames of `route` at a listener of TLS; none if it has one of its own. */
function namedPrecedence({ spec }: JudgedListener, route: Route, attached: readonly Route[]): string[] {
  const older = byPrecedence(attached);
  older.length = Math.max(
    0,
    older.findIndex((each) => isSameRoute(each, route)),
  );
  const hosts = sharedHostnames(spec, route);
  const owners = hosts.map((host) => older.find((each) => sharedHostnames(spec, each).includes(host)));
  const [first] = owners;
  return first === undefined || owners.includes(undefined) ? [] : [precedence({ spec }, first)];
}

function precedence(
  { spec }: Pick<JudgedListener, 'spec'>,
  { kind, metadata: { namespace, name } }: Route,
): string {
  return `The route is attached to listener "${spec.name}" and gets no traffic there, since ${kind} "${namespace}/${name}" is older and serves it.`;
}
