import { constants } from './constants.ts';
import { systemError } from './errno.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

/**
 * Sets the soft and the hard limit of open files of this process.
 *
 * @returns why the kernel refuses it, for example EPERM; undefined if it is set.
 * @throws KernelUnavailableError
 */
export function setFileLimit(limit: number): NodeJS.ErrnoException | undefined {
  const { size, offsets } = layouts.rlimit;
  const limits = new PinnedMemory(size);
  for (const offset of Object.values(offsets)) limits.view.setBigUint64(offset, BigInt(limit), true);
  const { prlimit, errno } = library();
  const thisProcess = 0;
  const status = prlimit(thisProcess, constants.RLIMIT_NOFILE, limits) < 0 ? errno() : 0;
  return status === 0 ? undefined : systemError('prlimit', status);
}
