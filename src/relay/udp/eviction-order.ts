/** Something that is idle now and then. */
type Idle = {
  /** When it was busy last. */
  readonly lastMs: number;
};

/**
 * Finds what has been idle for longest. All of it is put in order once, and then used up from the idlest on,
 * leaving out what was busy since: what was busy after the look is not among the idlest. So nothing is done
 * per datagram, and per item that is found there is little more than a comparison.
 */
export class EvictionOrder<T extends Idle> {
  readonly #all: ReadonlySet<T>;
  #seen: { readonly item: T; readonly lastMs: number }[] = [];
  #next = 0;

  constructor(all: ReadonlySet<T>) {
    this.#all = all;
  }

  /** @returns undefined where there is nothing. */
  longestIdle(): T | undefined {
    if (this.#all.size === 0) return undefined;
    for (;;) {
      const seen = this.#seen[this.#next];
      if (seen === undefined) this.#sort();
      else if (this.#all.has(seen.item) && seen.item.lastMs === seen.lastMs) return seen.item;
      else this.#next += 1;
    }
  }

  /** Keeps nothing in memory until it is asked again. */
  forget(): void {
    this.#seen = [];
    this.#next = 0;
  }

  #sort(): void {
    const all = Array.from(this.#all, (item) => ({ item, lastMs: item.lastMs }));
    this.#seen = all.sort((a, b) => a.lastMs - b.lastMs);
    this.#next = 0;
  }
}
