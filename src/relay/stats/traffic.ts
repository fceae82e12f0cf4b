import type { Side } from './side.ts';

/** Counts since the endpoint came up. */
export type Traffic = {
  /** Connections or associations that are open. */
  readonly active: number;
  /** All there have been. */
  readonly total: number;
  /** Those that ended by a failure, by its side. */
  readonly failed: Readonly<Record<Side, number>>;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
};

/** What is open, and what has been. */
export class TrafficStats<T> implements Iterable<T> {
  readonly #open = new Set<T>();
  readonly #fromClient: (item: T) => number;
  readonly #fromUpstream: (item: T) => number;
  readonly #failed = { client: 0, upstream: 0, relay: 0 };
  readonly #waiters: (() => void)[] = [];
  #total = 0;
  #fromClientBytes = 0;
  #fromUpstreamBytes = 0;

  /** Both count the bytes of one item so far. */
  constructor(fromClient: (item: T) => number, fromUpstream: (item: T) => number) {
    this.#fromClient = fromClient;
    this.#fromUpstream = fromUpstream;
  }

  /** How many are open. */
  get active(): number {
    return this.#open.size;
  }

  /** Everything that is counted, summed up over what is open. */
  get traffic(): Traffic {
    const open = [...this.#open];
    return {
      active: open.length,
      total: this.#total,
      failed: { ...this.#failed },
      fromClientBytes: open.reduce((bytes, item) => bytes + this.#fromClient(item), this.#fromClientBytes),
      fromUpstreamBytes: open.reduce(
        (bytes, item) => bytes + this.#fromUpstream(item),
        this.#fromUpstreamBytes,
      ),
    };
  }

  opened(item: T): void {
    this.#open.add(item);
    this.#total += 1;
  }

  /** @param failure  whose fault it is that it ended; undefined = nobody's. */
  closed(item: T, failure: Side | undefined): void {
    this.#open.delete(item);
    this.#fromClientBytes += this.#fromClient(item);
    this.#fromUpstreamBytes += this.#fromUpstream(item);
    if (failure !== undefined) this.#failed[failure] += 1;
    if (this.#open.size === 0) for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** Resolves when nothing is open. */
  async idle(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#open.values();
  }
}
