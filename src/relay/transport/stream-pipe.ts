import type { Duplex } from 'node:stream';

import type { ConnectionMemory } from '../limits/taken-memory.ts';

/** One direction of a connection with transports. What waits to be written counts in the memory budget. */
export class StreamPipe {
  /** Payload bytes read so far, without what TLS and WebSocket add. */
  bytes = 0;
  /** Whether the side that is read has ended. */
  hasEnded = false;
  readonly #memory: ConnectionMemory;
  #waitingBytes = 0;
  #isReleased = false;

  constructor(memory: ConnectionMemory) {
    this.#memory = memory;
  }

  /** Copies `from` to `to` at the pace of the slower one, and ends `to` when `from` ends. */
  copy(from: Duplex, to: Duplex): void {
    from.on('data', (part: Buffer) => {
      this.bytes += part.length;
      if (to.write(part)) return;
      from.pause();
      this.#wait(to.writableLength);
    });
    to.on('drain', () => {
      this.#wait(0);
      from.resume();
    });
    from.once('end', () => {
      this.hasEnded = true;
      to.end();
    });
    from.resume();
  }

  /** To be called at the end of the connection. */
  release(): void {
    this.#wait(0);
    this.#isReleased = true;
  }

  #wait(bytes: number): void {
    if (this.#isReleased) return;
    const before = this.#waitingBytes;
    this.#waitingBytes = bytes;
    if (bytes > before) this.#memory.take(bytes - before);
    else this.#memory.release(before - bytes);
  }
}
