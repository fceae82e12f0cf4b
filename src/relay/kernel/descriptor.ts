import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';

const closed = -1;

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
