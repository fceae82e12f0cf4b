import type { ConnectionMemory } from '../limits/taken-memory.ts';
import type { Channel, Reader } from '../net/channel.ts';

/** How many bytes are read from a side while its other side is not connected yet. */
const maxHeldBytes = 65_536;
/** How many bytes are read at a time while memory is short. */
const tightBytes = 4096;

/**
 * One direction of a connection: what is read from one channel is written to the other.
 *
 * The next read waits until the previous bytes are written: this is the backpressure. Until `writeTo` names the other
 * channel, the pipe holds the first bytes and remembers the end of the stream; from then on the stack may move the bytes
 * without showing them. What it holds, and what the other channel has not written yet, counts in the memory budget.
 */
export class ChannelPipe implements Reader {
  #bytes = 0;
  #to: Channel | undefined;
  #held: Uint8Array[] | undefined;
  #hasEnded = false;
  readonly #memory: ConnectionMemory;
  /** What waits to be written, as counted in the memory budget. */
  #waitingBytes = 0;
  #isReleased = false;

  constructor(memory: ConnectionMemory) {
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

  /** Where the bytes go; undefined until `writeTo` names it. */
  get target(): Channel | undefined {
    return this.#to;
  }

  get maxBytes(): number {
    return this.#memory.isTight ? tightBytes : Infinity;
  }

  take(part: Uint8Array): boolean {
    this.#bytes += part.length;
    if (this.#to === undefined) return this.#hold(part);
    if (this.#to.write(part)) return true;
    this.blocked();
    return false;
  }

  moved(count: number): void {
    this.#bytes += count;
  }

  blocked(): void {
    this.#wait(this.#to?.waitingBytes ?? 0);
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
    const held = this.#held;
    this.#held = undefined;
    let isWritten = header === undefined || to.write(header);
    if (held !== undefined) for (const part of held) if (!to.write(part)) isWritten = false;
    this.#wait(isWritten ? 0 : to.waitingBytes);
    if (this.#hasEnded) to.end();
    return isWritten;
  }

  /** Everything that had to wait is written. */
  drained(): void {
    this.#wait(0);
  }

  /** Drops what it holds; to be called once, when the connection is over. */
  release(): void {
    this.#isReleased = true;
    this.#held = undefined;
    this.drained();
  }

  #hold(part: Uint8Array): boolean {
    const copy = new Uint8Array(part);
    if (this.#held === undefined) this.#held = [copy];
    else this.#held.push(copy);
    this.#wait(this.#bytes);
    return this.#bytes < maxHeldBytes;
  }

  /** `bytes` wait from now on, unless a failed write has ended the connection. */
  #wait(wanted: number): void {
    const bytes = this.#isReleased ? 0 : wanted;
    const more = bytes - this.#waitingBytes;
    this.#waitingBytes = bytes;
    if (more > 0) this.#memory.take(more);
    else if (more < 0) this.#memory.release(-more);
  }
}
