import type { Relay } from '../api/relay.ts';
import { objectKey, type KubeObject } from '../kube/object.ts';
import type { ApplyContext, WantedObject } from './apply-context.ts';
import { predecessor } from './workload-handover.ts';

/**
 * Deletes what `relay` owns and no longer wants, except a workload that still serves until its successor is ready; see
 * `predecessor`.
 */
export async function prune(
  relay: Relay,
  wanted: readonly WantedObject[],
  context: ApplyContext,
): Promise<void> {
  const kept = new Set(wanted.map(({ object }) => kindAndKey(object as KubeObject)));
  const owned = context.cluster.ownedBy(relay);
  const serving = predecessor(relay, owned);
  for (const object of owned)
    if (object !== serving && !kept.has(kindAndKey(object))) await deleteObject(object, context);
}

/** Deletes an autoscaler that is no longer wanted: it must be gone before the operator sets the number of Pods again. */
export async function deleteAutoscaler(relay: Relay, context: ApplyContext): Promise<void> {
  if (relay.autoscaling !== undefined) return;
  const owned = context.cluster.ownedBy(relay);
  const autoscaler = owned.find(({ kind }) => kind === 'HorizontalPodAutoscaler');
  if (autoscaler !== undefined) await deleteObject(autoscaler, context);
}

/** Deletes `object`, unless it is being deleted already. */
async function deleteObject(object: KubeObject, { cluster, onWritten }: ApplyContext): Promise<void> {
  if (object.metadata.deletionTimestamp !== undefined) return;
  await cluster.delete(object);
  onWritten('deleted', object);
}

function kindAndKey(object: KubeObject): string {
  return `${object.kind}/${objectKey(object)}`;
}
