const marker = 'REALM_OPERATOR_WORKER';

/** The environment that makes a child process of this program a worker. */
export const workerEnvironment: Readonly<Record<string, string>> = { [marker]: '1' };

/** Whether this process is a worker. */
export function isWorker(env: Readonly<Record<string, string | undefined>>): boolean {
  return env[marker] !== undefined && process.send !== undefined;
}
