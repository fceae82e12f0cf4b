import type { Clock } from '../lib/clock.ts';

type Alarm<K> = { readonly keys: Set<K>; readonly cancel: () => void };

/** Tells of keys when their time comes. Keys of the same time share a timer: thousands of them may wait for hours. */
export class Alarms<K> {
  readonly #clock: Clock;
  readonly #onDue: (key: K) => void;
  /** By the time that they are for, in monotonic ms. */
  readonly #alarms = new Map<number, Alarm<K>>();

  constructor(clock: Clock, onDue: (key: K) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Tells of `key` at `dueMs`, in monotonic ms. */
  set(key: K, dueMs: number): void {
    const alarm = this.#alarms.get(dueMs) ?? this.#start(dueMs);
    alarm.keys.add(key);
  }

  /** Does not tell of `key` at `dueMs`; nothing happens where it would not. */
  cancel(key: K, dueMs: number): void {
    const alarm = this.#alarms.get(dueMs);
    if (alarm?.keys.delete(key) !== true || alarm.keys.size > 0) return;
    alarm.cancel();
    this.#alarms.delete(dueMs);
  }

  /** Tells of no key any more. */
  clear(): void {
    for (const { cancel } of this.#alarms.values()) cancel();
    this.#alarms.clear();
  }

  #start(dueMs: number): Alarm<K> {
    const keys = new Set<K>();
    const cancel = this.#clock.after(dueMs - this.#clock.monotonicMs(), () => {
      this.#alarms.delete(dueMs);
      for (const key of keys) this.#onDue(key);
    });
    const alarm = { keys, cancel };
    this.#alarms.set(dueMs, alarm);
    return alarm;
  }
}
