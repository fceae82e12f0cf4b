import { once } from 'node:events';
import { ownCommand } from '../../lib/own-command.ts';

const marker = 'REALM_OPERATOR_BACKGROUND';

/** Whether this process was started by `startInBackground`. */
export function isInBackground(env: Readonly<Record<string, string | undefined>>): boolean {
  return env[marker] !== undefined;
}

/**
 * Starts a second process of this program, in a session of its own, with the same arguments and working directory, and
 * without standard streams.
 *
 * @returns its process id.
 * @throws Error if it cannot be started.
 */
export async function startInBackground(): Promise<number> {
  const { spawn } = await import('node:child_process'); // costs memory, so only with --daemon
  const { file, args } = ownCommand();
  const child = spawn(file, args, {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, [marker]: '1' },
  });
  await once(child, 'spawn');
  child.unref();
  return child.pid ?? 0;
}
