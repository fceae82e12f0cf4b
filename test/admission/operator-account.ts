import { readFileSync } from 'node:fs';
import { loadAll } from 'js-yaml';
import type { ApiClient } from '../cluster/api-client.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { policyManifests, type PolicyManifest } from './policies.ts';

const rbac = '/apis/rbac.authorization.k8s.io/v1';
const installed = 'system:serviceaccount:realm-operator-system:realm-operator';

type Manifest = { readonly kind: string; readonly rules?: readonly object[] };

/** The rules of the ClusterRole in config/rbac.yaml. */
function rules(): readonly object[] {
  const manifests = loadAll(
    readFileSync(new URL('../../config/rbac.yaml', import.meta.url), 'utf8'),
  ) as Manifest[];
  return manifests.find(({ kind }) => kind === 'ClusterRole')?.rules ?? [];
}

/**
 * A service account of `namespace` with the rights of config/rbac.yaml there.
 *
 * @returns a client that authenticates only with a token of this account.
 */
export async function operatorAccount(cluster: ControlPlane, namespace: string): Promise<ApiClient> {
  const name = 'realm-operator';
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const account = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const place = `${rbac}/namespaces/${namespace}`;
  await created(cluster, account, { metadata: { name } });
  await created(cluster, `${place}/roles`, { metadata: { name }, rules: rules() });
  await created(cluster, `${place}/rolebindings`, { metadata: { name }, roleRef, subjects });
  const { status } = (await created(cluster, `${account}/${name}/token`, { spec: {} })) as {
    status: { token: string };
  };
  return cluster.withToken(status.token);
}

/** The policy of the operator's account, bound to the account of `namespace`. */
export function operatorPolicy(namespace: string): PolicyManifest[] {
  const text = JSON.stringify(policyManifests('operator.yaml'));
  const own = text.replace(installed, `system:serviceaccount:${namespace}:realm-operator`);
  if (own === text) throw new Error(`config/admission/operator.yaml is not about ${installed}`);
  return JSON.parse(own) as PolicyManifest[];
}

async function created(cluster: ControlPlane, path: string, body: object): Promise<unknown> {
  const { status, text, json } = await cluster.request('POST', path, body);
  if (status !== 201) throw new Error(`${path}: ${text}`);
  return json();
}
