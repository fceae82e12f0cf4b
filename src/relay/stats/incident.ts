import type { Clock } from '../../lib/clock.ts';

/** An episode is over once nothing has happened for so long. */
const quietMs = 60_000;

/** How an episode is told. */
export type IncidentLog = {
  readonly started: () => void;
  /** @param count  how often it happened. */
  readonly ended: (count: number) => void;
};

/** Something that may happen thousands of times, and is told twice: when it begins, and when it has stopped. */
export class Incident {
  readonly #clock: Clock;
  readonly #log: IncidentLog;
  #count = 0;
  #lastMs = 0;
  #stopTimer: () => void = () => undefined;

  constructor(clock: Clock, telling: IncidentLog) {
    this.#clock = clock;
    this.#log = telling;
  }

  /** It happens. */
  occurred(): void {
    this.#lastMs = this.#clock.monotonicMs();
    this.#count += 1;
    if (this.#count > 1) return;
    this.#log.started();
    this.#watch(quietMs);
  }

  /** Tells the end now, if there is something to tell. */
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
