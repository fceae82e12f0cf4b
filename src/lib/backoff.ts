/** Bounds of the waits between retries. */
export type Backoff = {
  /** The wait before the second try, in milliseconds. */
  readonly initialMs: number;
  /** The longest wait, in milliseconds. */
  readonly maxMs: number;
};

/**
 * The wait after `failures` failures in a row. It doubles from `initialMs` up to `maxMs`; up to half of it is then taken off
 * at random ("equal jitter"), so that clients which failed together do not retry together.
 *
 * @param failures  the number of failures in a row, at least 1.
 * @param random    in [0, 1), as `Math.random` returns.
 * @returns milliseconds.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(backoff: Backoff, failures: number, random: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(failures - 1, 52));
  return Math.round(ceilingMs / 2 + (ceilingMs / 2) * random);
}
