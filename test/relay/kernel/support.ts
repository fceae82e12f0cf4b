import { readdirSync } from 'node:fs';
import { KernelSocket } from '../../../src/relay/kernel/kernel-socket.ts';
import { library } from '../../../src/relay/kernel/library.ts';

/** Why this machine cannot make system calls; '' if it can. */
function whyNoKernel(): string {
  try {
    library();
    return '';
  } catch (error) {
    return String(error);
  }
}

/** `describe`, skipped with its reason where there are no system calls. */
export function describeKernel(title: string, tests: () => void): void {
  const reason = whyNoKernel();
  if (reason === '') describe(title, tests);
  else describe.skip(`${title} (skipped: ${reason})`, tests);
}

/** How many files this process has open. */
export async function openFiles(): Promise<number> {
  const { readdir } = await import('node:fs/promises');
  return (await readdir('/proc/self/fd')).length;
}

/** Another descriptor of every file of this process, to be closed. */
export function ownSockets(): KernelSocket[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => duplicate(Number(fd)) ?? []);
}

function duplicate(fd: number): KernelSocket | undefined {
  try {
    return KernelSocket.duplicate(fd);
  } catch {
    return undefined; // closed meanwhile
  }
}
