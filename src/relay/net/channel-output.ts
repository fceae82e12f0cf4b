import { constants } from '../kernel/constants.ts';
import type { KernelSocket } from '../kernel/kernel-socket.ts';
import type { LentPipe } from './lent-pipes.ts';

const { EINTR } = constants;

/** What the kernel has not accepted yet of what was written to a channel, in order: bytes, and pipes that hold some. */
export class ChannelOutput {
  readonly #socket: KernelSocket;
  readonly #parts: (Uint8Array | LentPipe)[] = [];

  constructor(socket: KernelSocket) {
    this.#socket = socket;
  }

  /** Whether nothing waits, not even a pipe whose last bytes were discarded. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  get bytes(): number {
    let bytes = 0;
    for (const each of this.#parts) bytes += each instanceof Uint8Array ? each.length : each.pipe.held;
    return bytes;
  }

  /** Adds a copy of `part`, whose memory is reused. */
  add(part: Uint8Array): void {
    this.#parts.push(Buffer.from(part));
  }

  /** Adds what a pipe holds, and holds the pipe until that is sent. */
  addPipe(lent: LentPipe): void {
    lent.hold();
    this.#parts.push(lent);
  }

  /** Sends what the kernel accepts. @returns 0 once all of it is sent, else a negative error number, e.g. -EAGAIN. */
  flush(): number {
    for (let next = this.#parts[0]; next !== undefined; next = this.#parts[0]) {
      const status = next instanceof Uint8Array ? this.#send(next) : sendFromPipe(this.#socket, next);
      if (status < 0) return status;
      if (!(next instanceof Uint8Array)) next.release();
      this.#parts.shift();
    }
    return 0;
  }

  /** Discards what waits. */
  discard(): void {
    for (const each of this.#parts) if (!(each instanceof Uint8Array)) each.release();
    this.#parts.length = 0;
  }

  /** Sends the first part. @returns 0 once all of it is sent, else a negative error number. */
  #send(part: Uint8Array): number {
    const count = this.#socket.send(part);
    if (count === part.length) return 0;
    if (count < 0) return count;
    this.#parts[0] = part.subarray(count);
    return -constants.EAGAIN;
  }
}

/** Sends what a pipe holds. @returns 0 once all of it is sent, else a negative error number. */
export function sendFromPipe(socket: KernelSocket, { pipe }: LentPipe): number {
  while (pipe.held > 0) {
    const count = socket.spliceFrom(pipe);
    if (count <= 0 && count !== -EINTR) return count === 0 ? -constants.EAGAIN : count;
  }
  return 0;
}
