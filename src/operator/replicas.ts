import { fieldManager, replicasManager } from '../kube/apply.ts';
import type { ManagedObject } from '../kube/field-managers.ts';
import type { KubeObject } from '../kube/object.ts';
import { objectPath, type Resource } from '../kube/resource.ts';
import type { KubeClient } from '../kube/client.ts';

type Scaled = ManagedObject & { readonly spec?: { readonly replicas?: number } };

/**
 * Keeps the number of Pods of `deployment` when our next apply does not contain it: if the field is ours, it is handed to a
 * field manager of its own, which owns it until someone sets another number. A field without an owner is reset to its
 * default, 1; so is 0, which no autoscaler would ever change.
 *
 * @throws KubeError with status 409 if the Deployment was scaled at the same moment.
 */
export async function handOverReplicas(
  client: KubeClient,
  resource: Resource,
  deployment: KubeObject,
): Promise<void> {
  const path = objectPath(resource, deployment);
  const live = (await client.request({ method: 'GET', path })) as Scaled;
  const replicas = live.spec?.replicas;
  if (replicas === undefined || replicas === 0 || !isOurs(live)) return;
  const { name, namespace, uid, resourceVersion } = live.metadata;
  await client.request({
    method: 'PATCH',
    path,
    query: { fieldManager: replicasManager, force: 'true', fieldValidation: 'Strict' },
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
  return managedFields.some(({ manager, operation, fieldsV1 }) => {
    if (manager !== fieldManager || operation !== 'Apply') return false;
    const fields = fieldsV1?.['f:spec'] as Readonly<Record<string, unknown>> | undefined;
    return fields?.['f:replicas'] !== undefined;
  });
}
