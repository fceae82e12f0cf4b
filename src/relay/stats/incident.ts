import type { Clock } from '../../lib/clock.ts';

/** An incident ends once it has not occurred for so long. */
const quietMs = 60_000;

/** Logs an incident. */
export type IncidentLog = {
  readonly started: () => void;
  /** @param count  how often it occurred. */
  readonly ended: (count: number) => void;
};

/** Something that may occur thousands of times, and is logged twice: when it starts, and when it has ended. */
export class Incident {
  readonly #clock: Clock;
  readonly #log: IncidentLog;
  #count = 0;
  #lastMs = 0;
  #stopTimer: () => void = () => undefined;

  constructor(clock: Clock, log: IncidentLog) {
    this.#clock = clock;
    this.#log = log;
  }

  /** It occurs once more. */
  occurred(): void {
    this.#lastMs = this.#clock.monotonicMs();
    this.#count += 1;
    if (this.#count > 1) return;
    this.#log.started();
    this.#watch(quietMs);
  }

  /** Ends it now, and logs that if it had started. */
  end(): void {
    this.#stopTimer();
    if (this.#count > 0) this.#log.ended(this.#count);
    this.#count = 0;
  }

  #watch(delayMs: number): void {
    this.#stopTimer = this.#clock.after(delayMs, () => {
      const leftMs = this.#lastMs + quietMs - this.#clock.monotonicMs();
      if (leftMs > 0) this.#watch(leftMs);
      else this.end();
    });
  }
}
