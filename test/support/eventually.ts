import { setTimeout as delay } from 'node:timers/promises';

/** How long and how often `eventually` probes. */
export type Patience = {
  /** Milliseconds after which it gives up: a minute by default, which only a failure reaches, even on a busy machine. */
  readonly timeoutMs?: number;
  /** Milliseconds between two probes; 50 by default. */
  readonly intervalMs?: number;
};

/**
 * Calls `probe` until it returns a result.
 *
 * @param what  the expected event, for the error message.
 * @param probe  returns undefined or false, or rejects, as long as there is no result.
 * @returns the result of `probe`.
 * @throws Error after the timeout; its cause is the last rejection of `probe`.
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
