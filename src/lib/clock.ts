/** Time and timers. They are injected, so that tests decide when time passes. */
export type Clock = {
  /** The wall clock, for timestamps that people read. */
  now: () => Date;
  /** Milliseconds of a clock that never goes back, for measuring. */
  monotonicMs: () => number;
  /**
   * Runs `callback` once after `delayMs`. Does not keep the process alive.
   *
   * @returns a function that cancels it, and does nothing once `callback` has run.
   */
  after: (delayMs: number, callback: () => void) => () => void;
};

/** The clock of the machine. */
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
