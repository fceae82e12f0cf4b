import { library } from './library.ts';
import { PinnedMemory, type Memory } from './pinned-memory.ts';

/** How many bytes land at once at most. */
export const landingBytes = 65_536;

/** Memory that sockets read into, one after the other. What is sent on from there needs no search for its address. */
export class Landing {
  readonly memory = new PinnedMemory(landingBytes);
  /** What was read last: the next part often has the same length. */
  #latest: Uint8Array = this.memory.bytes;

  /** The first `count` bytes. */
  landed(count: number): Uint8Array {
    if (this.#latest.length !== count) this.#latest = this.memory.bytes.subarray(0, count);
    return this.#latest;
  }

  /** `part` for a call; the caller holds it until that returns. */
  memoryOf(part: Uint8Array): Memory {
    return part === this.#latest ? this.memory : { pointer: library().pointerTo(part) };
  }
}
