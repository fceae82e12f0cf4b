import type { Relay } from '../api/relay.ts';
import { objectKey, type KubeObject } from '../kube/object.ts';
import type { ApplyContext, WantedObject } from './apply-context.ts';
import { ownerOf } from './owners.ts';
import { predecessor } from './workload-handover.ts';

/**
 * Deletes what `relay` owns and no longer wants, except a workload that still serves until its successor is ready; see
 * `predecessor`.
 *
 * @throws the first error, after every object was tried.
 */
export async function prune(
  relay: Relay,
  wanted: readonly WantedObject[],
  context: ApplyContext,
): Promise<void> {
  const kept = new Set(wanted.map(({ object }) => kindAndKey(object as KubeObject)));
  const owned = context.cluster.ownedBy(ownerOf(relay));
  const serving = predecessor(relay, owned);
  await deleteObjects(
    owned.filter((object) => object !== serving && !kept.has(kindAndKey(object))),
    context,
  );
}

/** What deleting objects uses. */
type DeleteContext = Pick<ApplyContext, 'cluster' | 'onWritten'>;

/**
 * Deletes `objects`, except those that are being deleted already.
 *
 * @throws the first error, after every object was tried.
 */
export async function deleteObjects(objects: readonly KubeObject[], context: DeleteContext): Promise<void> {
  const errors: unknown[] = [];
  for (const object of objects)
    await deleteObject(object, context).catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** Deletes the autoscaler of `relay`, if it has one. */
export async function deleteAutoscaler(relay: Relay, context: DeleteContext): Promise<void> {
  const owned = context.cluster.ownedBy(ownerOf(relay));
  const autoscaler = owned.find(({ kind }) => kind === 'HorizontalPodAutoscaler');
  if (autoscaler !== undefined) await deleteObject(autoscaler, context);
}

/** Deletes `object`, unless it is being deleted already. */
async function deleteObject(object: KubeObject, { cluster, onWritten }: DeleteContext): Promise<void> {
  if (object.metadata.deletionTimestamp !== undefined) return;
  await cluster.delete(object);
  onWritten('deleted', object);
}

function kindAndKey(object: KubeObject): string {
  return `${object.kind}/${objectKey(object)}`;
}
