import type { Clock } from './clock.ts';

/** How long a result is shared. */
export type SharedResultOptions = {
  readonly clock: Clock;
  readonly freshMs: number;
  /** A result is not shared once this has changed; never by default. */
  readonly revision?: () => number;
};

/**
 * `compute`, at most once in `freshMs`: all calls meanwhile return the same result, be it a promise or a value. So the
 * cost of `compute` does not depend on how many ask for it. Nothing is kept longer.
 */
export function sharedResult<T>(
  compute: () => T,
  { clock, freshMs, revision = () => 0 }: SharedResultOptions,
): () => T {
  let kept: { readonly result: T; readonly revision: number } | undefined;
  return () => {
    if (kept !== undefined && kept.revision === revision()) return kept.result;
    const made = { result: compute(), revision: revision() };
    kept = made;
    clock.after(freshMs, () => {
      if (kept === made) kept = undefined;
    });
    return made.result;
  };
}
