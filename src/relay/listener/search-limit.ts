import type { Clock } from '../../lib/clock.ts';

/** Searches that may start within `periodMs` of the first. */
const maxSearches = 8;
const periodMs = 10_000;

/**
 * Limits the searches for the processes that hold ports. Each reads the descriptors of every process, and all ports of a
 * large range may be in use at once.
 */
export class SearchLimit {
  readonly #clock: Clock;
  #sinceMs = -Infinity;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a search may start, which it then counts. */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= periodMs) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= maxSearches;
  }
}
