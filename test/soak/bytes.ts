import type { Random } from '../fuzz/mutator.ts';

const poolBytes = 1024 * 1024;

/** Random bytes of a seed, of which each stream has its own part, so that every byte of a stream is known. */
export class BytePool {
  readonly #bytes = Buffer.alloc(poolBytes);

  constructor(random: Random) {
    for (let at = 0; at < poolBytes; at += 4) this.#bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  }

  /** Up to `length` bytes from `offset` on of the stream whose bytes begin at `start`. */
  part(start: number, offset: number, length: number): Buffer {
    const at = (start + offset) % poolBytes;
    return this.#bytes.subarray(at, Math.min(poolBytes, at + length));
  }
}

/** The bytes that one side of a stream has to receive, and what it has received. */
export class Expected {
  received = 0;
  readonly length: number;
  readonly #pool: BytePool;
  readonly #start: number;

  constructor(pool: BytePool, start: number, length: number) {
    this.#pool = pool;
    this.#start = start;
    this.length = length;
  }

  get isWhole(): boolean {
    return this.received === this.length;
  }

  /** @returns whether `part` is what comes next. */
  take(part: Buffer): boolean {
    if (this.received + part.length > this.length) return false;
    for (let at = 0; at < part.length;) {
      const wanted = this.#pool.part(this.#start, this.received, part.length - at);
      if (!wanted.equals(part.subarray(at, at + wanted.length))) return false;
      at += wanted.length;
      this.received += wanted.length;
    }
    return true;
  }
}
