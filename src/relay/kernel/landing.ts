import { library } from './library.ts';
import { PinnedMemory, type Memory } from './pinned-memory.ts';

/** How many bytes land at once at most. */
export const landingBytes = 65_536;

/** Memory that sockets read into, one after the other. What is sent on from there needs no search for its address. */
export class Landing {
  readonly memory = new PinnedMemory(landingBytes);
  /** What was read last: the next part often has the same length. */
  #latest: Uint8Array = this.memory.bytes;
  /** The last part of other memory: its caller may be done with it before the call returns. */
  #held: Uint8Array | undefined;

  /** The first `count` bytes. */
  landed(count: number): Uint8Array {
    if (this.#latest.length !== count) this.#latest = this.memory.bytes.subarray(0, count);
    return this.#latest;
  }

  /** `part` for a call, held until the next one. */
  memoryOf(part: Uint8Array): Memory {
    if (part === this.#latest) return this.memory;
    this.#held = part;
    return { pointer: library().pointerTo(part) };
  }
}
