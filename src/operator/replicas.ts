import { fieldManager } from '../kube/apply.ts';
import type { KubeObject } from '../kube/object.ts';
import { objectPath, type Resource } from '../kube/resource.ts';
import type { KubeClient } from '../kube/client.ts';

/** Holds the number of Pods between us and an autoscaler: what nobody holds becomes 1. */
const holder = `${fieldManager}-replicas`;

type ManagedFields = {
  readonly manager?: string;
  readonly operation?: string;
  readonly fieldsV1?: { readonly 'f:spec'?: Readonly<Record<string, unknown>> };
};

type Scaled = KubeObject & {
  readonly metadata: { readonly managedFields?: readonly ManagedFields[] };
  readonly spec?: { readonly replicas?: number };
};

/**
 * Sees to it that the number of Pods of `deployment` stays as it is when our next apply says nothing of it: where it is ours,
 * a manager of its own holds it from now on, until somebody sets another one.
 *
 * @throws KubeError with status 409 where it was scaled in this moment.
 */
export async function handOverReplicas(
  client: KubeClient,
  resource: Resource,
  deployment: KubeObject,
): Promise<void> {
  const path = objectPath(resource, deployment);
  const live = (await client.request({ method: 'GET', path })) as Scaled;
  const replicas = live.spec?.replicas;
  if (replicas === undefined || !isOurs(live)) return;
  const { name, namespace, uid, resourceVersion } = live.metadata;
  await client.request({
    method: 'PATCH',
    path,
    query: { fieldManager: holder, force: 'true', fieldValidation: 'Strict' },
    contentType: 'application/apply-patch+yaml',
    body: {
      apiVersion: resource.apiVersion,
      kind: resource.kind,
      metadata: { name, namespace, uid, resourceVersion },
      spec: { replicas },
    },
  });
}

function isOurs({ metadata: { managedFields = [] } }: Scaled): boolean {
  return managedFields.some(
    ({ manager, operation, fieldsV1 }) =>
      manager === fieldManager && operation === 'Apply' && fieldsV1?.['f:spec']?.['f:replicas'] !== undefined,
  );
}
