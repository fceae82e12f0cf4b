/** Something that can be idle. */
type Idle = {
  /** When it was last active. */
  readonly lastMs: number;
};

/**
 * Finds the item that has been idle for longest. It sorts all items once and then returns them in that order, skipping
 * those that were active since: they cannot be among the idlest. So it does no work per datagram, and little more than
 * a comparison per item found.
 */
export class EvictionOrder<T extends Idle> {
  readonly #all: ReadonlySet<T>;
  #sorted: { readonly item: T; readonly lastMs: number }[] = [];
  #next = 0;

  constructor(all: ReadonlySet<T>) {
    this.#all = all;
  }

  /** @returns undefined if there are no items. */
  longestIdle(): T | undefined {
    if (this.#all.size === 0) return undefined;
    for (;;) {
      const next = this.#sorted[this.#next];
      if (next === undefined) this.#sort();
      else if (this.#all.has(next.item) && next.item.lastMs === next.lastMs) return next.item;
      else this.#next += 1;
    }
  }

  /** Frees the sorted list until the next call of `longestIdle`. */
  forget(): void {
    this.#sorted = [];
    this.#next = 0;
  }

  #sort(): void {
    const all = Array.from(this.#all, (item) => ({ item, lastMs: item.lastMs }));
    this.#sorted = all.sort((a, b) => a.lastMs - b.lastMs);
    this.#next = 0;
  }
}
