import { conditionTime } from '../../api/dated-conditions.ts';
import { policyKind } from '../../api/schema/traffic-policy.ts';
import { type Action, awaitChange } from '../../controller/action.ts';
import { hasAncestors, policyAncestors } from '../../gateway/policy-status.ts';
import { isRouteKind } from '../../gateway/types.ts';
import type { ObjectKey } from '../../kube/object.ts';
import { writeStatus } from './reconcile-gateway.ts';
import { after, type KindContext } from './reconcile-route.ts';

/** Writes what became of the RealmTrafficPolicy that is queued by `key`. @throws why it could not. */
export async function reconcilePolicy(key: ObjectKey, context: KindContext): Promise<Action> {
  const { stores, kinds, cluster, now } = context;
  const { store } = stores.policies;
  const policy = store.get(key.slice(key.indexOf('/') + 1) as ObjectKey);
  const resource = kinds.get(policyKind);
  if (policy === undefined || resource === undefined) return awaitChange;
  const surroundings = {
    gateway: (name: string) => stores.ownGateway(name),
    route: (kind: string, name: string) =>
      isRouteKind(kind) ? stores.routes[kind].get(name as ObjectKey) : undefined,
  };
  const ancestors = policyAncestors(policy, surroundings, stores.lookup, conditionTime(now()));
  if (hasAncestors(policy, ancestors)) return awaitChange;
  const target = { resource, store };
  return after(
    await writeStatus(policy, { ancestors }, context, () =>
      cluster.statuses.merge(target, policy, { ancestors }),
    ),
  );
}
