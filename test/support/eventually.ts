import { setTimeout as delay } from 'node:timers/promises';

/** How long and how often `eventually` looks. */
export type Patience = {
  /** Milliseconds after which it gives up: a minute by default, which only a failure takes, on a busy machine, too. */
  readonly timeoutMs?: number;
  /** Milliseconds between two looks; 50 by default. */
  readonly intervalMs?: number;
};

/**
 * Looks until there is something to see.
 *
 * @param what   what is waited for, for the failure's message.
 * @param probe  what it sees; undefined or false means not yet, and so does a rejection.
 * @returns what `probe` saw.
 * @throws Error when the time is over; its cause is the last rejection of `probe`.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { timeoutMs = 60_000, intervalMs = 50 }: Patience = {},
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const seen = await probe();
      if (seen !== undefined && seen !== false) return seen;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(intervalMs);
  } while (performance.now() < deadlineMs);
  throw new Error(`not within ${String(timeoutMs)} ms: ${what}`, { cause });
}
