import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

/** With what a queue works. */
export type WorkQueueOptions = {
  readonly clock: Clock;
  /** How long a key that failed waits before its next turn. */
  readonly backoff: Backoff;
  /** In [0, 1), for the jitter; `Math.random` unless told. */
  readonly random?: () => number;
  readonly observer?: WorkQueueObserver;
};

/** Who is told what becomes of keys, for metrics. */
export type WorkQueueObserver = {
  /** A key came to wait. */
  readonly added: () => void;
  /** A key whose turn failed gets another one. */
  readonly retried: () => void;
  /** A key's turn came, so long after it was added. */
  readonly taken: (seconds: number) => void;
  /** A key was handed back, so long after its turn came. */
  readonly done: (seconds: number) => void;
};

/**
 * The keys that have work to do, first come, first served.
 *
 * A key waits at most once, however often it is added. It is never worked on twice at a time: one that is added
 * while it is worked on waits again after that. A key whose turn comes has no delayed turn left: whoever works
 * on it sees everything, and says when to look again.
 *
 * ```text
 *   add ───────────────► waiting ── next ──► processing ── done ──► forgotten
 *   addAfter ─► delayed ───┘   ▲                 │ added meanwhile
 *   retry ──────┘              └─────────────────┘
 * ```
 */
export class WorkQueue<K extends string> {
  readonly #options: WorkQueueOptions;
  /** In the order of arrival; since when, in monotonic ms. */
  readonly #waiting = new Map<K, number>();
  readonly #processing = new Map<K, number>();
  /** Added while they were worked on. */
  readonly #dirty = new Map<K, number>();
  readonly #delayed = new Map<K, { readonly dueMs: number; readonly cancel: () => void }>();
  readonly #failures = new Map<K, number>();
  readonly #takers: ((key: K | undefined) => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** How many keys wait for a worker. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** For how long each key that is worked on has been, in seconds. */
  get processingSeconds(): readonly number[] {
    return [...this.#processing.values()].map((sinceMs) => this.#secondsSince(sinceMs));
  }

  /** Gives `key` a turn. */
  add(key: K): void {
    if (this.#closed) return;
    const line = this.#processing.has(key) ? this.#dirty : this.#waiting;
    if (line.has(key)) return;
    line.set(key, this.#options.clock.monotonicMs());
    this.#options.observer?.added();
    this.#serve();
  }

  /** Gives `key` a turn after `delayMs`, or sooner if one is due sooner. */
  addAfter(key: K, delayMs: number): void {
    if (this.#closed) return;
    const { clock } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined && earlier.dueMs <= dueMs) return;
    earlier?.cancel();
    const cancel = clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, cancel });
  }

  /**
   * Gives `key`, whose turn failed, another one after a wait that grows with every failure in a row.
   *
   * @returns the wait in milliseconds.
   */
  retry(key: K): number {
    const { backoff, random = Math.random, observer } = this.#options;
    observer?.retried();
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = backoffMs(backoff, failures, random());
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The failures of `key` no longer count. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** The next key, which then must be handed back with `done`; undefined once the queue is closed. */
  next(): Promise<K | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    if (this.#waiting.size > 0) return Promise.resolve(this.#take());
    const { promise, resolve } = Promise.withResolvers<K | undefined>();
    this.#takers.push(resolve);
    return promise;
  }

  /** Hands `key` back, worked on. */
  done(key: K): void {
    const [startedMs, dirtySinceMs] = [this.#processing.get(key), this.#dirty.get(key)];
    this.#processing.delete(key);
    if (startedMs !== undefined) this.#options.observer?.done(this.#secondsSince(startedMs));
    if (dirtySinceMs === undefined) return;
    this.#dirty.delete(key);
    this.#waiting.set(key, dirtySinceMs);
    this.#serve();
  }

  /** Ends it: nobody gets another key, and no timer is left. */
  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#waiting.clear();
    this.#dirty.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  /** Gives a worker that waits the first key that does. */
  #serve(): void {
    if (this.#takers.length > 0 && this.#waiting.size > 0) this.#takers.shift()?.(this.#take());
  }

  #secondsSince(ms: number): number {
    return (this.#options.clock.monotonicMs() - ms) / 1000;
  }

  #take(): K | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [key, sinceMs] = first;
    this.#options.observer?.taken(this.#secondsSince(sinceMs));
    this.#waiting.delete(key);
    this.#processing.set(key, this.#options.clock.monotonicMs());
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    return key;
  }
}
