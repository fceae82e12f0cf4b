import { canonicalJson } from '../lib/canonical-json.ts';
import { type Difference, differences } from './differences.ts';
import type { KubeObject } from './object.ts';

/**
 * Remembers in what the API server's answer to an apply differs from what was applied, such as a quantity that it writes
 * another way. Such a difference is settled: applying the same object again would not change it.
 */
export class SettledDifferences {
  /** By uid of the object. */
  readonly #settled = new Map<string, { readonly hash: string; readonly differences: ReadonlySet<string> }>();

  /** Records that the server answered `written` to an apply of `applied`, whose hash is `hash`. */
  record(applied: KubeObject, written: KubeObject, hash: string): void {
    const settled = new Set(differences(applied, written).map(differenceKey));
    const { uid = '' } = written.metadata;
    this.#settled.delete(uid);
    if (settled.size > 0) this.#settled.set(uid, { hash, differences: settled });
  }

  /** The differences between `desired`, whose hash is `hash`, and `observed` that are not settled. */
  unsettled(desired: KubeObject, observed: KubeObject, hash: string): Difference[] {
    const settled = this.#settled.get(observed.metadata.uid ?? '');
    return differences(desired, observed).filter(
      (difference) => settled?.hash !== hash || !settled.differences.has(differenceKey(difference)),
    );
  }

  /** Drops what is known of the object with this uid, which is deleted. */
  forget(uid: string): void {
    this.#settled.delete(uid);
  }
}

function differenceKey(difference: Difference): string {
  return canonicalJson(difference);
}
