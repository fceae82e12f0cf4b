/** How long to wait before try after try. */
export type Backoff = {
  /** Milliseconds before the second try. */
  readonly initialMs: number;
  /** Milliseconds that no wait exceeds. */
  readonly maxMs: number;
};

/**
 * The wait after `failures` failures in a row: doubling from `initialMs` up to `maxMs`, of which a random
 * half is taken off at most ("equal jitter"), so that many that failed together do not retry together.
 *
 * @param failures  how many failures in a row, at least 1.
 * @param random    in [0, 1), as `Math.random` gives it.
 * @returns milliseconds.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function backoffMs(backoff: Backoff, failures: number, random: number): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.initialMs * 2 ** Math.min(failures - 1, 52));
  return Math.round(ceilingMs / 2 + (ceilingMs / 2) * random);
}
