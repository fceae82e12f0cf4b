import { constants } from './constants.ts';
import { Descriptor } from './descriptor.ts';
import { checked } from './errno.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';

const { O_NONBLOCK, O_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ } = constants;

const pair = new PinnedMemory(8);

/** A pipe of the kernel, through which bytes move between sockets without being copied to this process. */
export class Pipe {
  readonly readEnd: Descriptor;
  readonly writeEnd: Descriptor;
  /** How many bytes it can hold, as the kernel granted it. */
  readonly capacity: number;
  /** How many bytes it holds. */
  held = 0;

  /** @param bytes  how many it should hold; the kernel may grant fewer. @throws the system's error, e.g. EMFILE. */
  constructor(bytes: number) {
    const { pipe2, fcntl, errno } = library();
    checked('pipe2', pipe2(pair, O_NONBLOCK | O_CLOEXEC) < 0 ? errno() : 0);
    this.readEnd = new Descriptor(pair.view.getInt32(0, true));
    this.writeEnd = new Descriptor(pair.view.getInt32(4, true));
    fcntl(this.writeEnd.fd, F_SETPIPE_SZ, bytes); // beyond the user's share it fails, and the pipe stays as it is
    this.capacity = Math.max(0, fcntl(this.writeEnd.fd, F_GETPIPE_SZ, 0));
  }

  /** Discards what it holds. */
  close(): void {
    this.readEnd.close();
    this.writeEnd.close();
  }
}
