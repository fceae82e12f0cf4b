import type { Relay } from '../api/relay.ts';
import { kindAndKey, type KubeObject } from '../kube/object.ts';
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
    relay,
    context,
  );
}

/** What deleting objects uses. */
type DeleteContext = Pick<ApplyContext, 'cluster' | 'onWritten' | 'onContested'>;

/**
 * Deletes `objects`, which their owner does not want by `wish`, except those that are being deleted already.
 *
 * @throws the first error, after every object was tried.
 */
export async function deleteObjects(
  objects: readonly KubeObject[],
  wish: object,
  context: DeleteContext,
): Promise<void> {
  const errors: unknown[] = [];
  for (const object of objects)
    await deleteObject(object, wish, context).catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

/** Deletes the autoscaler of `relay`, if it has one. */
export async function deleteAutoscaler(relay: Relay, context: DeleteContext): Promise<void> {
  const owned = context.cluster.ownedBy(ownerOf(relay));
  const autoscaler = owned.find(({ kind }) => kind === 'HorizontalPodAutoscaler');
  if (autoscaler !== undefined) await deleteObject(autoscaler, relay, context);
}

/**
 * Deletes `object`, which its owner does not want by `wish`, unless it is being deleted already, or others create it again and
 * again and it is not time yet.
 *
 * @param fields  as in `Recreations.found`.
 * @returns whether it was deleted.
 */
export async function deleteObject(
  object: KubeObject,
  wish: object,
  { cluster, onWritten, onContested }: DeleteContext,
  fields: readonly string[] = [],
): Promise<boolean> {
  if (object.metadata.deletionTimestamp !== undefined) return false;
  const rivalry = await cluster.recreations.found(object, wish, fields);
  if (rivalry !== undefined) onContested(rivalry);
  if (rivalry !== undefined && rivalry.waitMs > 0) return false;
  await cluster.delete(object);
  cluster.recreations.deleted(object, wish);
  onWritten('deleted', object);
  return true;
}
