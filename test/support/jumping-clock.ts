import { systemClock, type Clock } from '../../src/lib/clock.ts';

type Timer = { readonly dueMs: number; readonly callback: () => void; cancel: () => void };

/** A clock that goes as this machine's does and jumps ahead at a test's word, as after a machine was asleep. */
export class JumpingClock implements Clock {
  #aheadMs = 0;
  readonly #timers = new Set<Timer>();

  now = (): Date => new Date(systemClock.now().getTime() + this.#aheadMs);

  monotonicMs = (): number => systemClock.monotonicMs() + this.#aheadMs;

  after = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { dueMs: this.monotonicMs() + delayMs, callback, cancel: () => undefined };
    this.#timers.add(timer);
    this.#start(timer);
    return () => {
      this.#stop(timer);
    };
  };

  /** Lets `elapsedMs` pass at once; what is due by then is called, in the order in which it is. */
  jump(elapsedMs: number): void {
    this.#aheadMs += elapsedMs;
    const nowMs = this.monotonicMs();
    for (const timer of [...this.#timers].toSorted((a, b) => a.dueMs - b.dueMs)) {
      if (!this.#timers.has(timer)) continue; // one before it has cancelled it
      if (timer.dueMs <= nowMs) this.#run(timer);
      else this.#start(timer);
    }
  }

  #start(timer: Timer): void {
    timer.cancel();
    timer.cancel = systemClock.after(timer.dueMs - this.monotonicMs(), () => {
      this.#run(timer);
    });
  }

  #run(timer: Timer): void {
    this.#stop(timer);
    timer.callback();
  }

  #stop(timer: Timer): void {
    this.#timers.delete(timer);
    timer.cancel();
  }
}
