/** A count that goes up and down. */
export type Count = {
  readonly value: number;
  /** @returns the value after it. */
  readonly add: (change: number) => number;
};

/** A count of one thread. */
export class OwnCount implements Count {
  value = 0;

  add(change: number): number {
    this.value += change;
    return this.value;
  }
}

/** A count of several threads together, in memory that they share, with the share of each. */
export class SharedCount implements Count {
  readonly #cells: BigInt64Array;
  readonly #thread: number;

  /**
   * @param cells   the sum, then the share of each thread; zero at first.
   * @param thread  number of the thread that this object counts for, from 0.
   */
  constructor(cells: BigInt64Array, thread: number) {
    this.#cells = cells;
    this.#thread = thread;
  }

  get value(): number {
    return Number(Atomics.load(this.#cells, 0));
  }

  add(change: number): number {
    const exact = BigInt(change);
    Atomics.add(this.#cells, this.#thread + 1, exact);
    return Number(Atomics.add(this.#cells, 0, exact) + exact);
  }

  /** Gives back what `thread` has taken, to be called when it has ended. */
  giveBack(thread: number): void {
    Atomics.sub(this.#cells, 0, Atomics.exchange(this.#cells, thread + 1, 0n));
  }
}
