import { readFileSync } from 'node:fs';

/** How many files and sockets this process may have open; Infinity where the system does not tell. Node raises the soft limit to the hard one. */
export function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Infinity : Number(soft);
  } catch {
    return Infinity; // no /proc
  }
}
