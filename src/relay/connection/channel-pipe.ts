import type { Channel, Reader } from '../net/channel.ts';
import { landingBuffer, privateBuffers } from '../net/read-buffers.ts';

/** How much is read from a side whose other side is not connected yet. */
const maxHeldBytes = 65_536;

/**
 * One direction of a connection: what is read from one channel is written to the other.
 *
 * Reads land in a buffer that is used again, so the next read waits until the bytes before are written:
 * that is the backpressure, too. Until `writeTo` names the other channel the first bytes are held, and
 * the end of the stream is remembered.
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
    // The landing buffer is everybody's: what is not written at once must be a copy.
    if (!this.#to.write(buffer === landingBuffer ? Buffer.from(part) : part)) return false;
    if (buffer === this.#buffer) this.#chooseBuffer(count);
    return true;
  }

  end(): void {
    this.#hasEnded = true;
    this.#to?.end();
  }

  /**
   * Writes to `to` from now on, first what was held.
   *
   * @param header  goes before all, and is not counted.
   * @returns whether all of that is written, and more may be read.
   */
  writeTo(to: Channel, header?: Uint8Array): boolean {
    this.#to = to;
    const parts = [...(header === undefined ? [] : [header]), ...(this.#held ?? [])];
    this.#held = undefined;
    const isWritten = parts.map((part) => to.write(part)).every(Boolean);
    if (this.#hasEnded) to.end();
    return isWritten;
  }

  /** Gives its buffer back; to be called once neither channel can use it any more. */
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
