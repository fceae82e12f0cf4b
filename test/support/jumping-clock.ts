import { systemClock, type Clock } from '../../src/lib/clock.ts';

type Timer = { readonly dueMs: number; readonly callback: () => void; cancel: () => void };

/** The clock of this machine, which a test can make jump ahead, as after the machine was asleep. */
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

  /** Lets `elapsedMs` pass at once and runs the timers that are due, in their order. */
  jump(elapsedMs: number): void {
    this.#aheadMs += elapsedMs;
    const nowMs = this.monotonicMs();
    for (const timer of [...this.#timers].toSorted((a, b) => a.dueMs - b.dueMs)) {
      if (!this.#timers.has(timer)) continue; // a previous timer has cancelled it
      if (timer.dueMs <= nowMs) this.#run(timer);
      else this.#start(timer);
    }
  }

  #start(timer: Timer): void {
    timer.cancel();
    timer.cancel = systemClock.after(Math.max(timer.dueMs - this.monotonicMs(), 0), () => {
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
