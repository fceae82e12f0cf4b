import type { Clock } from '../lib/clock.ts';

type KeyTimer<K> = { readonly keys: Set<K>; readonly cancel: () => void };

/** Calls back with keys when they are due. Keys with the same due time share a timer, since thousands may wait for hours. */
export class KeyTimers<K> {
  readonly #clock: Clock;
  readonly #onDue: (key: K) => void;
  /** By due time, in monotonic ms. */
  readonly #timers = new Map<number, KeyTimer<K>>();

  constructor(clock: Clock, onDue: (key: K) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Calls back with `key` at `dueMs`, in monotonic ms. */
  set(key: K, dueMs: number): void {
    const timer = this.#timers.get(dueMs) ?? this.#start(dueMs);
    timer.keys.add(key);
  }

  /** Cancels the callback with `key` at `dueMs`, if there is one. */
  cancel(key: K, dueMs: number): void {
    const timer = this.#timers.get(dueMs);
    if (timer?.keys.delete(key) !== true || timer.keys.size > 0) return;
    timer.cancel();
    this.#timers.delete(dueMs);
  }

  /** Cancels all callbacks. */
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
