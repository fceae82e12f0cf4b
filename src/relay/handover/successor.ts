import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { ownCommand } from '../../lib/own-command.ts';

/** The environment variable of a successor. */
export const successorMarker = 'REALM_OPERATOR_SUCCESSOR';

/** How long a successor may take until it serves; then it is ended. */
const startLimitMs = 60_000;

/** A successor serves, as process `pid`; or why it does not, in which case it has ended. */
export type Succession = { readonly pid: number } | { readonly problem: string };

/**
 * Starts another process of this program with the same arguments, and with `sockets`, descriptors of this process by
 * name.
 *
 * @returns once it serves, or has failed. Never rejects.
 */
export async function startSuccessor(
  sockets: ReadonlyMap<string, number>,
  clock: Clock,
): Promise<Succession> {
  const { spawn } = await import('node:child_process'); // costs memory, so only now
  const { file, args } = ownCommand();
  const child = spawn(file, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.values()],
    env: { ...process.env, [successorMarker]: '1' },
  });
  const { promise, resolve } = Promise.withResolvers<Succession>();
  const stopTimer = clock.after(startLimitMs, () => {
    child.kill('SIGKILL');
    resolve({ problem: `the new process did not serve within ${String(startLimitMs / 1000)} s` });
  });
  child.once('error', (error) => {
    resolve({ problem: `the new process cannot be started: ${asError(error).message}` });
  });
  child.once('exit', (code, signal) => {
    resolve({ problem: `the new process ended with ${signal ?? `exit code ${String(code)}`}` });
  });
  child.once('message', () => {
    resolve({ pid: child.pid ?? 0 });
  });
  child.send({ names: [...sockets.keys()] }, () => undefined); // fails if it has ended: `exit` reports that
  const succession = await promise;
  stopTimer();
  if (child.connected) child.disconnect();
  child.unref();
  return succession;
}
