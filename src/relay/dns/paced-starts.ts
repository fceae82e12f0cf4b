import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';

/** Lookups that may be young at the same time: their queries fit into the receive buffer of a name server. */
const maxYoung = 64;

/** A lookup is young until it ends, but for no longer than this: names that are never answered delay no others. */
const youngMs = 50;

/**
 * Lets lookups start in the order in which they come, 64 in 50 ms, and more if those end earlier. So a start with
 * thousands of names floods no name server, and names that are never answered hold up nothing.
 */
export class PacedStarts {
  readonly #clock: Clock;
  readonly #queued = new Set<() => void>();
  #young = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs `lookup` at its turn. @param signal  gives the turn up. */
  async run<T>(lookup: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#turn(signal);
    const end = this.#endOfYouth();
    try {
      signal.throwIfAborted();
      return await lookup();
    } finally {
      end();
    }
  }

  /** Waits until one more may be young, and counts it. */
  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#young < maxYoung) {
      this.#young += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const start = (): void => {
      this.#young += 1;
      resolve(undefined);
    };
    const leave = (): void => {
      reject(asError(signal.reason));
    };
    this.#queued.add(start);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      this.#queued.delete(start);
      signal.removeEventListener('abort', leave);
    }
  }

  /** @returns ends the youth of a lookup, unless its time has. */
  #endOfYouth(): () => void {
    let isYoung = true;
    const end = (): void => {
      stopTimer();
      if (!isYoung) return;
      isYoung = false;
      this.#young -= 1;
      const [next] = this.#queued;
      if (next === undefined) return;
      this.#queued.delete(next);
      next();
    };
    const stopTimer = this.#clock.after(youngMs, end);
    return end;
  }
}
