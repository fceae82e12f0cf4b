/** The time and the timers of a program: injected, so that tests decide when time passes. */
export type Clock = {
  /** The wall clock, for timestamps that people read. */
  now: () => Date;
  /** Milliseconds that only grow, for measuring. */
  monotonicMs: () => number;
  /**
   * Runs `callback` once after `delayMs`. Does not keep the process alive.
   *
   * @returns a function that cancels it; calling it later does nothing.
   */
  after: (delayMs: number, callback: () => void) => () => void;
};

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
