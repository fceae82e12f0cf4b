import type { Clock } from '../lib/clock.ts';

type KeyTimer<K> = { readonly keys: Set<K>; readonly cancel: () => void };

/** Tells of keys when their time comes. Keys of the same time share a timer: thousands of them may wait for hours. */
export class KeyTimers<K> {
  readonly #clock: Clock;
  readonly #onDue: (key: K) => void;
  /** By the time that they are for, in monotonic ms. */
  readonly #timers = new Map<number, KeyTimer<K>>();

  constructor(clock: Clock, onDue: (key: K) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Tells of `key` at `dueMs`, in monotonic ms. */
  set(key: K, dueMs: number): void {
    const timer = this.#timers.get(dueMs) ?? this.#start(dueMs);
    timer.keys.add(key);
  }

  /** Does not tell of `key` at `dueMs`; nothing happens where it would not. */
  cancel(key: K, dueMs: number): void {
    const timer = this.#timers.get(dueMs);
    if (timer?.keys.delete(key) !== true || timer.keys.size > 0) return;
    timer.cancel();
    this.#timers.delete(dueMs);
  }

  /** Tells of no key any more. */
  clear(): void {
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #start(dueMs: number): KeyTimer<K> {
    const keys = new Set<K>();
    const cancel = this.#clock.after(dueMs - this.#clock.monotonicMs(), () => {
      this.#timers.delete(dueMs);
      for (const key of keys) this.#onDue(key);
    });
    const timer = { keys, cancel };
    this.#timers.set(dueMs, timer);
    return timer;
  }
}
