import type { KubeObject } from './object.ts';
import type { PackedObject } from './packed-object.ts';

/** A reconcile reads its own objects several times, and few run at a time. More entries would get old on V8's heap. */
const maxEntries = 4;

/**
 * A cache of the objects that were parsed last, in a ring of four.
 *
 * Guarantee: `get` returns what the packed object holds, and the same object again while it is among the last four. The
 * objects are shared, so nobody may change them.
 */
export class ParsedObjects<T extends KubeObject> {
  readonly #entries: { readonly packed: PackedObject<T>; readonly object: T }[] = [];
  #next = 0;

  /** The object that `packed` holds, parsed if it is not in the cache. */
  get(packed: PackedObject<T>): T {
    const entry = this.#entries.find((known) => known.packed === packed);
    return entry === undefined ? this.add(packed, packed.object()) : entry.object;
  }

  /** Takes in `object`, which is the parsed form of `packed`, in place of the oldest entry. */
  add(packed: PackedObject<T>, object: T): T {
    this.#entries[this.#next] = { packed, object };
    this.#next = (this.#next + 1) % maxEntries;
    return object;
  }
}
