import type { Clock } from './clock.ts';

/** Resolves after `waitMs`, or as soon as `signal` is aborted; never rejects. */
export async function sleep(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const wake = (): void => {
    resolve(undefined);
  };
  const cancel = clock.after(waitMs, wake);
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  cancel();
  signal.removeEventListener('abort', wake);
}
