import type { Channel, Reader } from '../net/channel.ts';
import { landingBuffer, privateBuffers } from '../net/read-buffers.ts';

/** How many bytes are read from a side while its other side is not connected yet. */
const maxHeldBytes = 65_536;

/**
 * One direction of a connection: what is read from one channel is written to the other.
 *
 * Reads reuse one buffer, so the next read waits until the previous bytes are written: this is also the
 * backpressure. Until `writeTo` names the other channel, the pipe holds the first bytes and remembers the end of
 * the stream.
 */
export class ChannelPipe implements Reader {
  #bytes = 0;
  #to: Channel | undefined;
  #held: Buffer[] | undefined;
  #hasEnded = false;
  #buffer = landingBuffer;

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the side that is read has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  nextBuffer(): Uint8Array {
    return this.#buffer;
  }

  take(count: number, buffer: Uint8Array): boolean {
    this.#bytes += count;
    const part = buffer.subarray(0, count);
    if (this.#to === undefined) return this.#hold(part);
    // All connections share the landing buffer: what cannot be written at once must be a copy.
    if (!this.#to.write(buffer === landingBuffer ? Buffer.from(part) : part)) return false;
    if (buffer === this.#buffer) this.#chooseBuffer(count);
    return true;
  }

  end(): void {
    this.#hasEnded = true;
    this.#to?.end();
  }

  /**
   * Writes to `to` from now on, beginning with the bytes that were held.
   *
   * @param header  precedes them and is not counted.
   * @returns whether all of that is written, so that more may be read.
   */
  writeTo(to: Channel, header?: Uint8Array): boolean {
    this.#to = to;
    const parts = [...(header === undefined ? [] : [header]), ...(this.#held ?? [])];
    this.#held = undefined;
    const isWritten = parts.map((part) => to.write(part)).every(Boolean);
    if (this.#hasEnded) to.end();
    return isWritten;
  }

  /** Returns its buffer; to be called once neither channel can use it any more. */
  release(): void {
    if (this.#buffer !== landingBuffer) privateBuffers.release(this.#buffer);
    this.#buffer = landingBuffer;
    this.#held = undefined;
  }

  #hold(part: Uint8Array): boolean {
    (this.#held ??= []).push(Buffer.from(part));
    return this.#bytes < maxHeldBytes;
  }

  #chooseBuffer(count: number): void {
    if (this.#buffer !== landingBuffer) {
      if (count < privateBuffers.quietBytes) this.release();
    } else if (count === landingBuffer.length) this.#buffer = privateBuffers.take() ?? landingBuffer;
  }
}
