import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { failure } from './loopback.ts';

/** A connection to an echo server that compares what it sent with what came back. */
export class Carrier {
  readonly #socket: Socket;
  readonly #sent = createHash('sha256');
  readonly #got = createHash('sha256');
  #onWay = 0;
  /** How it ended too early. */
  failed = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (part: Buffer) => {
      this.#got.update(part);
      this.#onWay -= part.length;
    });
    void failure(socket).then((end) => (this.failed = end));
  }

  /** Sends some more, unless the last is still on its way. */
  carry(): void {
    if (this.#onWay > 0) return;
    const part = randomBytes(2048);
    this.#onWay = part.length;
    this.#sent.update(part);
    this.#socket.write(part);
  }

  /** @returns whether all came back as it was sent, and then the end. */
  async end(): Promise<boolean> {
    if (this.failed !== '') return false;
    this.#socket.end();
    await once(this.#socket, 'end');
    return this.#sent.digest('hex') === this.#got.digest('hex');
  }
}
