import { conditionTime } from '../../api/dated-conditions.ts';
import { type Action, awaitChange, requeueAfter } from '../../controller/action.ts';
import { classStatus } from '../../gateway/class-status.ts';
import { classParameters } from '../../gateway/parameters.ts';
import { hasRouteParents, routeParents } from '../../gateway/route-status.ts';
import type { KubeObject, ObjectKey } from '../../kube/object.ts';
import type { Resource } from '../../kube/resource.ts';
import { sameJson } from '../../lib/same-json.ts';
import type { ApplyResult } from '../apply-context.ts';
import type { ServedKinds } from './kinds.ts';
import { type GatewayContext, writeStatus } from './reconcile-gateway.ts';
import { isOwnClass } from './stores.ts';

/** A context that knows where each kind is served. */
export type KindContext = GatewayContext & {
  readonly kinds: ServedKinds;
  /** The kinds that are not served in a version that is understood. */
  readonly missing: readonly string[];
};

/** Writes what this controller reports about the route that is queued by `key`. @throws why it could not. */
export async function reconcileRoute(key: ObjectKey, context: KindContext): Promise<Action> {
  const { stores, kinds, cluster, now } = context;
  const route = stores.route(key);
  const resource = route && kinds.get(route.kind);
  if (route === undefined || resource === undefined) return awaitChange;
  const surroundings = {
    gateway: (name: string) => stores.ownGateway(name),
    routesOf: (name: string) => stores.routesOf(name),
  };
  const parents = routeParents(route, surroundings, stores.lookup, conditionTime(now()));
  if (hasRouteParents(route, parents)) return awaitChange;
  const target = { resource, store: stores.routes[route.kind] };
  return after(
    await writeStatus(route, { parents }, context, () => cluster.statuses.merge(target, route, { parents })),
  );
}

/** Writes the status of the GatewayClass that is queued by `key`. @throws why it could not. */
export async function reconcileClass(key: ObjectKey, context: KindContext): Promise<Action> {
  const { stores, kinds, missing, cluster, now } = context;
  const gatewayClass = stores.classes.get(key.slice('class/'.length) as ObjectKey);
  const resource: Resource | undefined = kinds.get('GatewayClass');
  if (gatewayClass === undefined || resource === undefined || !isOwnClass(gatewayClass)) return awaitChange;
  const status = classStatus(
    gatewayClass,
    classParameters(gatewayClass, stores.lookup),
    missing,
    conditionTime(now()),
  );
  const { conditions = [], ...before } = (gatewayClass as KubeObject & { status?: Partial<typeof status> })
    .status ?? { conditions: [] };
  const types = new Set(status.conditions.map(({ type }) => type));
  const present = {
    ...before,
    conditions: conditions
      .filter(({ type }) => types.has(type))
      .toSorted((a, b) => (a.type < b.type ? -1 : 1)),
  };
  if (sameJson(present, status)) return awaitChange;
  const target = { resource, store: stores.classes };
  return after(
    await writeStatus(gatewayClass, status, context, () =>
      cluster.statuses.apply(target, gatewayClass, status),
    ),
  );
}

/** What follows a write of a status. @throws why it failed. */
export function after({ error, againMs }: Omit<ApplyResult, 'verdict'>): Action {
  if (error !== undefined) throw error;
  return againMs === undefined ? awaitChange : requeueAfter(againMs);
}
