import type { Socket } from 'node:net';
import type { Reader } from './accepted-socket.ts';
import { landingBuffer, privateBuffers } from './read-buffers.ts';

/** How much is read from a side whose other side is not connected yet. */
const mostHeldBytes = 65_536;

/**
 * One direction of a connection: what is read from one socket is written to the other.
 *
 * Reads land in a buffer that is used again, so the next read waits until the bytes before are written:
 * that is the backpressure, too. Until `writeTo` names the other socket the first bytes are held, and
 * the end of the stream is remembered.
 */
export class Flow {
  /** Bytes read so far. */
  bytes = 0;
  /** What `net.Socket` needs to read into this flow. */
  readonly reader: Reader;
  #from: Socket | undefined;
  #to: Socket | undefined;
  #held: Buffer[] | undefined;
  #ended = false;
  #waiting = false;
  #buffer = landingBuffer;

  constructor() {
    this.reader = {
      buffer: () => this.#buffer,
      callback: (count, buffer) => this.#take(count, buffer),
    };
  }

  /** Whether the side that is read has ended. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Names the socket that `reader` was given to. */
  readFrom(from: Socket): void {
    this.#from = from;
    from.once('end', () => {
      this.#ended = true;
      this.#to?.end();
    });
  }

  /**
   * Writes to `to` from now on, first what was held.
   *
   * @param header  goes before all, and is not counted.
   */
  writeTo(to: Socket, header?: Uint8Array): void {
    this.#to = to;
    if (header !== undefined) this.#write(to, header);
    for (const part of this.#held ?? []) this.#write(to, part);
    this.#held = undefined;
    if (this.#ended) to.end();
    else if (!this.#isPending(to)) this.#from?.resume();
  }

  /** Gives its buffer back; to be called once neither socket can use it any more. */
  release(): void {
    if (this.#buffer !== landingBuffer) privateBuffers.giveBack(this.#buffer);
    this.#buffer = landingBuffer;
    this.#held = undefined;
  }

  #take(count: number, buffer: Uint8Array): boolean {
    this.bytes += count;
    const part = buffer.subarray(0, count);
    if (this.#to === undefined) return this.#hold(part);
    // The landing buffer is everybody's: what is not written at once must be a copy.
    this.#write(this.#to, buffer === landingBuffer ? Buffer.from(part) : part);
    if (this.#isPending(this.#to)) return false;
    this.#chooseBuffer(count);
    return true;
  }

  #hold(part: Uint8Array): boolean {
    (this.#held ??= []).push(Buffer.from(part));
    return this.bytes < mostHeldBytes;
  }

  #write(to: Socket, part: Uint8Array): void {
    to.write(part, this.#onWritten);
  }

  #isPending(to: Socket): boolean {
    this.#waiting = to.writableLength > 0;
    return this.#waiting;
  }

  /** Not 'drain': that is only told of writes above the high-water mark, and a small one can wait, too. */
  readonly #onWritten = (error?: Error | null): void => {
    if (!this.#waiting || error || this.#to?.writableLength !== 0) return;
    this.#waiting = false;
    this.#from?.resume();
  };

  #chooseBuffer(count: number): void {
    if (this.#buffer !== landingBuffer) {
      if (count < privateBuffers.quietBytes) this.release();
    } else if (count === landingBuffer.length) this.#buffer = privateBuffers.take() ?? landingBuffer;
  }
}
