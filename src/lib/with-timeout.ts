import type { Clock } from './clock.ts';

/** What ends a piece of work before it is done. */
export type TimeoutOptions = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signals: readonly AbortSignal[];
};

/**
 * Runs `work` with a signal that is aborted with the first of `signals`, or when its time is over, with a `TimeoutError`.
 *
 * Nothing is left of that when the work is done, while each `AbortSignal.timeout` waits for its time and then makes an error, done or not.
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
