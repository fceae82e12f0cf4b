import { ownValue } from '../lib/record.ts';
import { hasHash, withoutVersion } from './applied-hash.ts';
import { isAppliedBy, type ManagedObject } from './field-managers.ts';
import type { KubeObject } from './object.ts';
import { hasOwnerOfSameName } from './ownership.ts';

// What we applied for an owner that is gone: after a backup was restored, owners have other uids, and after a deletion with
// `--cascade=orphan` nobody owns them.

/** What identifies objects of an application, besides its version. */
const ownLabelPrefix = 'app.kubernetes.io/';

/**
 * Whether `observed` may be what we applied in place of `desired` for an owner that is gone: nobody owns it, or an owner of the
 * same name did, and it has our labels and hash. Anyone can write these, so {@link isLeftover} decides.
 */
export function mayBeLeftover(observed: KubeObject, desired: KubeObject): boolean {
  const { ownerReferences = [], labels = {} } = observed.metadata;
  const isFree = ownerReferences.length === 0 || hasOwnerOfSameName(observed, desired);
  const own = Object.entries(withoutVersion(desired).metadata.labels ?? {}).filter(([name]) =>
    name.startsWith(ownLabelPrefix),
  );
  const isLabelled = own.every(([name, value]) => ownValue(labels, name) === value);
  return isFree && own.length > 0 && isLabelled && hasHash(observed);
}

/**
 * Whether `live` is what we applied in place of `desired` for an owner that is gone: the API server records our field manager.
 *
 * @param manager  our field manager.
 */
export function isLeftover(live: ManagedObject, desired: KubeObject, manager: string): boolean {
  return mayBeLeftover(live, desired) && isAppliedBy(live, [manager], []);
}
