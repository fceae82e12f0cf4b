import type { Clock } from '../../lib/clock.ts';

/** An episode is over once nothing has happened for so long. */
const quietMs = 60_000;

/** How an episode is told. */
export type EpisodeTelling = {
  readonly begins: () => void;
  /** @param count  how often it happened. */
  readonly ends: (count: number) => void;
};

/** Something that may happen thousands of times, and is told twice: when it begins, and when it has stopped. */
export class Episode {
  readonly #clock: Clock;
  readonly #telling: EpisodeTelling;
  #count = 0;
  #lastMs = 0;
  #stopTimer: () => void = () => undefined;

  constructor(clock: Clock, telling: EpisodeTelling) {
    this.#clock = clock;
    this.#telling = telling;
  }

  /** It happens. */
  happen(): void {
    this.#lastMs = this.#clock.monotonicMs();
    this.#count += 1;
    if (this.#count > 1) return;
    this.#telling.begins();
    this.#watch(quietMs);
  }

  /** Tells the end now, if there is something to tell. */
  end(): void {
    this.#stopTimer();
    if (this.#count > 0) this.#telling.ends(this.#count);
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
