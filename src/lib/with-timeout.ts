import type { Clock } from './clock.ts';

/** What aborts the work early: a timeout, or one of `signals`. */
export type TimeoutOptions = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signals: readonly AbortSignal[];
};

/**
 * Runs `work` with a signal that aborts when one of `signals` does, with its reason, or after `timeoutMs` with a
 * `TimeoutError`.
 *
 * Timer and listeners are removed when the work is done; `AbortSignal.timeout` would keep its timer and create its error
 * even then.
 */
export async function withTimeout<T>(
  { clock, timeoutMs, signals }: TimeoutOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = new AbortController();
  const abort = function (this: AbortSignal): void {
    end.abort(this.reason);
  };
  const cancel = clock.after(timeoutMs, () => {
    end.abort(new DOMException(`it took longer than ${String(timeoutMs)} ms`, 'TimeoutError'));
  });
  for (const signal of signals) {
    if (signal.aborted) end.abort(signal.reason);
    signal.addEventListener('abort', abort);
  }
  try {
    return await work(end.signal);
  } finally {
    cancel();
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}
