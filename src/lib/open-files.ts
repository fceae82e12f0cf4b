import { readFileSync } from 'node:fs';

/**
 * How many files and sockets this process may have open; Infinity if the system does not report it. Node raises the soft
 * limit to the hard one.
 */
export function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity; // no /proc
  }
}

/**
 * Sets the soft and the hard limit of open files of this process to `limit`. Node.js has no call for it, so it runs
 * prlimit(1) of util-linux.
 *
 * @returns why the limit could not be set; undefined if it was set.
 */
export async function setOpenFilesLimit(limit: number): Promise<string | undefined> {
  const { spawnSync } = await import('node:child_process'); // loaded here since it costs memory
  const argv = ['--pid', String(process.pid), `--nofile=${String(limit)}:${String(limit)}`];
  const { error, status, stderr } = spawnSync('prlimit', argv, { encoding: 'utf8' });
  if (error !== undefined) return `prlimit cannot be run: ${error.message}`;
  return status === 0 ? undefined : stderr.trim();
}
