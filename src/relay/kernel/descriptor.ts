import { constants } from './constants.ts';
import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';

const closed = -1;

/** How many descriptors the kernel's table of this process holds, as far as is known: this many at the start of a process. */
let tableSize = 64;
/** By how much the table grows at a time: to 16 KiB, then to 512 KiB. */
const tableGrowth = 32;

/** The open descriptors of this thread by number, if it records them: 1 = open. */
let recorded: Uint8Array | undefined;

/**
 * Records the open descriptors of this thread in `memory` from now on, by number, so that another thread can close them
 * when this one has ended. What Node.js itself opened, it closes itself.
 */
export function recordDescriptors(memory: Uint8Array): void {
  recorded = memory;
}

/** An open file of the kernel, owned by this object. */
export class Descriptor {
  /** The descriptor `fd` of another thread, which keeps it open for as long as the result is used. Not to be closed. */
  static borrow(fd: number): Descriptor {
    const borrowed = new Descriptor(fd);
    if (recorded !== undefined) recorded[fd] = 0;
    return borrowed;
  }

  #fd: number;

  /** @param fd  an open descriptor, which nothing else closes. */
  constructor(fd: number) {
    if (!Number.isInteger(fd) || fd < 0) throw new KernelMisuseError(`${String(fd)} is no descriptor`);
    this.#fd = fd;
    if (recorded !== undefined) recorded[fd] = 1;
    if (fd >= tableSize * 0.75) growTable(fd);
  }

  /** Its number. @throws KernelMisuseError once it is closed: the kernel may have given the number to another file. */
  get fd(): number {
    if (this.#fd === closed) throw new KernelMisuseError('the descriptor is closed');
    return this.#fd;
  }

  get isOpen(): boolean {
    return this.#fd !== closed;
  }

  /** @throws KernelMisuseError if it is closed already. */
  close(): void {
    // close(2): also after an error, such as EINTR, the descriptor is freed on Linux and must not be closed again
    library().close(this.release());
  }

  /** Gives the descriptor away. @returns its number, which the caller owns from now on. */
  release(): number {
    const { fd } = this;
    this.#fd = closed;
    if (recorded !== undefined) recorded[fd] = 0;
    return fd;
  }
}

/**
 * Grows the table of descriptors ahead of need and by much. The kernel doubles it when it is full, and in a process that has
 * threads each time waits until no processor can use the old one, 13 ms or more. Source: Linux, fs/file.c, expand_fdtable.
 *
 * @param fd  an open descriptor.
 */
function growTable(fd: number): void {
  const { fcntl, close } = library();
  const known = tableSize;
  tableSize = Infinity; // unless the limit of open files permits more
  for (let size = known * tableGrowth; size > known; size /= 2) {
    const last = fcntl(fd, constants.F_DUPFD_CLOEXEC, size - 1);
    if (last < 0) continue;
    tableSize = size;
    close(last);
    return;
  }
}
