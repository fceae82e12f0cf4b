import { LinkedList, type ListNode } from '../../lib/linked-list.ts';

/** Something that can be evicted. */
type Evictable = {
  /** When it was last active. */
  readonly lastMs: number;
};

/**
 * Finds what to evict: the oldest item without an answer, and if there is none, the item that has been idle for longest.
 *
 * It keeps the items without an answer in order. It sorts the others once and then returns them in that order, skipping
 * those that were active since: they cannot be among the idlest. So it does no work per datagram, and little more than a
 * comparison per item found.
 */
export class EvictionOrder<T extends Evictable> {
  readonly #unanswered = new LinkedList<T>();
  readonly #nodes = new Map<T, ListNode<T>>();
  readonly #answered = new Set<T>();
  #sorted: { readonly item: T; readonly lastMs: number }[] = [];
  #next = 0;

  /** Adds an item, which has no answer yet. */
  add(item: T): void {
    this.#nodes.set(item, this.#unanswered.push(item));
  }

  /** The item got its first answer. */
  answered(item: T): void {
    this.remove(item);
    this.#answered.add(item);
  }

  remove(item: T): void {
    const node = this.#nodes.get(item);
    if (node === undefined) {
      this.#answered.delete(item);
      return;
    }
    this.#unanswered.remove(node);
    this.#nodes.delete(item);
  }

  /** @returns undefined if there are no items. */
  next(): T | undefined {
    const { first } = this.#unanswered;
    if (first !== undefined) return first.value;
    return this.#answered.size === 0 ? undefined : this.#longestIdle();
  }

  /** Frees the sorted list until the next call of `next`. */
  forget(): void {
    this.#sorted = [];
    this.#next = 0;
  }

  #longestIdle(): T {
    for (;;) {
      const next = this.#sorted[this.#next];
      if (next === undefined) this.#sort();
      else if (this.#answered.has(next.item) && next.item.lastMs === next.lastMs) return next.item;
      else this.#next += 1;
    }
  }

  #sort(): void {
    const all = Array.from(this.#answered, (item) => ({ item, lastMs: item.lastMs }));
    this.#sorted = all.sort((a, b) => a.lastMs - b.lastMs);
    this.#next = 0;
  }
}
