import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';

const closed = -1;

/** An open file of the kernel, owned by this object. */
export class Descriptor {
  #fd: number;

  /** @param fd  an open descriptor, which nothing else closes. */
  constructor(fd: number) {
    if (!Number.isInteger(fd) || fd < 0) throw new KernelMisuseError(`${String(fd)} is no descriptor`);
    this.#fd = fd;
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
    return fd;
  }
}
