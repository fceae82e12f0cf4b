import type { Channel, Reader } from '../net/channel.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import {
  copyBuffers,
  landingBuffer,
  minCopyBytes,
  privateBuffers,
  quietBytes,
  smallLandingBuffer,
} from '../net/read-buffers.ts';

/** How many bytes are read from a side while its other side is not connected yet. */
const maxHeldBytes = 65_536;

/**
 * One direction of a connection: what is read from one channel is written to the other.
 *
 * Reads reuse one buffer, so the next read waits until the previous bytes are written: this is also the
 * backpressure. Until `writeTo` names the other channel, the pipe holds the first bytes and remembers the end of
 * the stream. What it holds, and what the other channel has not written yet, counts in the memory budget.
 */
export class ChannelPipe implements Reader {
  #bytes = 0;
  #to: Channel | undefined;
  #held: Uint8Array[] | undefined;
  #hasEnded = false;
  #buffer = landingBuffer;
  readonly #memory: MemoryBudget;
  /** What waits to be written, as counted in the memory budget. */
  #waitingBytes = 0;
  #copyBuffer: Uint8Array<ArrayBuffer> | undefined;
  #isReleased = false;

  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the side that is read has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  nextBuffer(): Uint8Array {
    return this.#memory.isTight && this.#buffer === landingBuffer ? smallLandingBuffer : this.#buffer;
  }

  take(count: number, buffer: Uint8Array): boolean {
    this.#bytes += count;
    const part = buffer.subarray(0, count);
    if (this.#to === undefined) return this.#hold(part);
    const isShared = buffer === landingBuffer || buffer === smallLandingBuffer;
    if (!(isShared ? this.#writeCopy(part, this.#to) : this.#to.write(part))) return false;
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
    if (isWritten) this.drained();
    if (this.#hasEnded) to.end();
    return isWritten;
  }

  /** Everything that had to wait is written. */
  drained(): void {
    this.#releaseCopy();
    if (this.#waitingBytes > 0) this.#memory.release(this.#waitingBytes);
    this.#waitingBytes = 0;
  }

  /** Returns its buffer; to be called once neither channel can use it any more. */
  release(): void {
    this.#isReleased = true;
    this.#releaseBuffer();
    this.#held = undefined;
    this.drained();
  }

  #hold(part: Uint8Array): boolean {
    (this.#held ??= []).push(new Uint8Array(part));
    this.#wait(part.length);
    return this.#bytes < maxHeldBytes;
  }

  #chooseBuffer(count: number): void {
    if (this.#buffer !== landingBuffer) {
      if (count < quietBytes || this.#memory.isTight) this.#releaseBuffer();
    } else if (count === landingBuffer.length) this.#takeBuffer();
  }

  #takeBuffer(): void {
    const buffer = privateBuffers.take();
    if (buffer === undefined) return;
    this.#memory.take(buffer.length);
    this.#buffer = buffer;
  }

  #releaseBuffer(): void {
    if (this.#buffer === landingBuffer) return;
    privateBuffers.release(this.#buffer);
    this.#memory.release(this.#buffer.length);
    this.#buffer = landingBuffer;
  }

  /** All connections share the landing buffer: what cannot be written at once must be a copy. */
  #writeCopy(part: Uint8Array, to: Channel): boolean {
    const copy = this.#copy(part);
    if (!to.write(copy)) {
      this.#wait(copy.buffer.byteLength);
      return false;
    }
    this.#releaseCopy();
    return true;
  }

  #copy(part: Uint8Array): Uint8Array {
    if (part.length >= minCopyBytes) this.#copyBuffer = copyBuffers.take();
    if (this.#copyBuffer !== undefined) {
      this.#copyBuffer.set(part);
      return this.#copyBuffer.subarray(0, part.length);
    }
    // A small part of a buffer of Node's pool is cheap to make, but keeps all of that buffer if it has to wait.
    return this.#memory.isTight ? new Uint8Array(part) : Buffer.from(part);
  }

  #releaseCopy(): void {
    if (this.#copyBuffer !== undefined) copyBuffers.release(this.#copyBuffer);
    this.#copyBuffer = undefined;
  }

  /** A failed write may have ended the connection already. */
  #wait(bytes: number): void {
    if (this.#isReleased) return;
    this.#waitingBytes += bytes;
    this.#memory.take(bytes);
  }
}
