import type { ApiClient } from '../cluster/api-client.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** A rule of a Role. */
export type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
};

/** The right to write RealmRelays, and nothing else. */
const relaysOnly: Rule = {
  apiGroups: ['realm-operator.dev'],
  resources: ['realmrelays', 'realmrelays/scale'],
  verbs: ['*'],
};

/** A user who may write the RealmRelays of `namespace`, and has the `rules` there. */
export async function tenant(
  cluster: ControlPlane,
  namespace: string,
  name: string,
  ...rules: readonly Rule[]
): Promise<ApiClient> {
  const user = `${namespace}-${name}`;
  const place = `${rbac}/namespaces/${namespace}`;
  await created(cluster, `${place}/roles`, { metadata: { name: user }, rules: [relaysOnly, ...rules] });
  await created(cluster, `${place}/rolebindings`, { metadata: { name: user }, ...bound('Role', user) });
  return cluster.as(user);
}

/** Gives the user `name` of `namespace` a right in the whole cluster. */
export async function grantInCluster(
  cluster: ControlPlane,
  namespace: string,
  name: string,
  rule: Rule,
): Promise<void> {
  const user = `${namespace}-${name}`;
  await created(cluster, `${rbac}/clusterroles`, { metadata: { name: user }, rules: [rule] });
  await created(cluster, `${rbac}/clusterrolebindings`, {
    metadata: { name: user },
    ...bound('ClusterRole', user),
  });
}

function bound(kind: string, name: string): object {
  const apiGroup = 'rbac.authorization.k8s.io';
  return { roleRef: { apiGroup, kind, name }, subjects: [{ apiGroup, kind: 'User', name }] };
}

async function created(cluster: ControlPlane, path: string, body: object): Promise<void> {
  const { status, text } = await cluster.request('POST', path, body);
  if (status !== 201) throw new Error(`${path}: ${text}`);
}
