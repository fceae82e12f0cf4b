/**
 * What the relay counts, remembers and logs of its clients.
 *
 * Vocabulary: *traffic* is the counts of an endpoint's connections or associations; a *side* is whose fault an end is;
 * a *recent error* is a kind of failure with a count and a *remedy*; an *incident* is a condition that is logged when
 * it starts and when it ends; the *log limiter* bounds the warnings of one kind.
 *
 * Guarantee: memory and log lines are bounded, however many clients come or fail.
 */
import type { Side } from './side.ts';

/** Counts since the endpoint started. */
export type Traffic = {
  /** Open connections or associations. */
  readonly active: number;
  /** The most that were open at a time; of several processes, the sum of the most in each. */
  readonly max: number;
  /** Opened so far. */
  readonly total: number;
  /** Ended by a failure, by its side. */
  readonly failed: Readonly<Record<Side, number>>;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
};

/** The open connections or associations of an endpoint, and the counts of all. */
export class TrafficStats<T> implements Iterable<T> {
  readonly #open = new Set<T>();
  readonly #fromClient: (item: T) => number;
  readonly #fromUpstream: (item: T) => number;
  readonly #failed = { client: 0, upstream: 0, relay: 0 };
  readonly #waiters: (() => void)[] = [];
  #max = 0;
  #total = 0;
  #fromClientBytes = 0;
  #fromUpstreamBytes = 0;

  /** @param fromClient, fromUpstream  the bytes of one item so far. */
  constructor(fromClient: (item: T) => number, fromUpstream: (item: T) => number) {
    this.#fromClient = fromClient;
    this.#fromUpstream = fromUpstream;
  }

  /** Number of open items. */
  get active(): number {
    return this.#open.size;
  }

  /** The counts, those of open items included. */
  get traffic(): Traffic {
    const open = [...this.#open];
    return {
      active: open.length,
      max: this.#max,
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
    if (this.#open.size > this.#max) this.#max = this.#open.size;
    this.#total += 1;
  }

  /** @param failure  the side that failed; undefined for a normal end. */
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
