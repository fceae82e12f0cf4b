import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

/** With what a queue works. */
export type WorkQueueOptions = {
  readonly clock: Clock;
  /** How long a key that failed waits before its next turn. */
  readonly backoff: Backoff;
  /** In [0, 1), for the jitter; `Math.random` unless told. */
  readonly random?: () => number;
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
  /** In the order of arrival. */
  readonly #waiting = new Set<K>();
  readonly #processing = new Set<K>();
  /** Added while they were worked on. */
  readonly #dirty = new Set<K>();
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

  /** Gives `key` a turn. */
  add(key: K): void {
    if (this.#closed) return;
    if (this.#processing.has(key)) {
      this.#dirty.add(key);
      return;
    }
    this.#waiting.add(key);
    if (this.#takers.length > 0) this.#takers.shift()?.(this.#take());
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
    const { backoff, random = Math.random } = this.#options;
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
    this.#processing.delete(key);
    if (this.#dirty.delete(key)) this.add(key);
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

  #take(): K | undefined {
    const [key] = this.#waiting;
    if (key === undefined) return undefined;
    this.#waiting.delete(key);
    this.#processing.add(key);
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    return key;
  }
}
