import type { Channel, Reader } from '../net/channel.ts';

/** How many bytes are read from a side while its other side is not connected yet. */
const maxHeldBytes = 65_536;

/**
 * One direction of a connection: what is read from one channel is written to the other.
 *
 * The next read waits until the previous bytes are written: this is the backpressure. Until `writeTo` names the other
 * channel, the pipe holds the first bytes and remembers the end of the stream; from then on the stack may move the bytes
 * without showing them.
 */
export class ChannelPipe implements Reader {
  #bytes = 0;
  #to: Channel | undefined;
  #held: Buffer[] | undefined;
  #hasEnded = false;

  /** Bytes read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the side that is read has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Where the bytes go; undefined until `writeTo` names it. */
  get target(): Channel | undefined {
    return this.#to;
  }

  take(part: Uint8Array): boolean {
    this.#bytes += part.length;
    return this.#to === undefined ? this.#hold(part) : this.#to.write(part);
  }

  moved(count: number): void {
    this.#bytes += count;
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

  /** Drops what it holds; to be called when the connection is over. */
  release(): void {
    this.#held = undefined;
  }

  #hold(part: Uint8Array): boolean {
    (this.#held ??= []).push(Buffer.from(part));
    return this.#bytes < maxHeldBytes;
  }
}
