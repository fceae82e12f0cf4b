import type { Clock } from './clock.ts';

/** Resolves when `work` has ended, in whatever way, or after `limitMs`; the work then goes on unobserved. Never rejects. */
export async function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const cancel = clock.after(limitMs, () => {
    resolve(undefined);
  });
  await Promise.race([work.catch(() => undefined), promise]);
  cancel();
}
