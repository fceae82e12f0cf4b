import { SharedCount } from '../limits/count.ts';
import type { MemoryCells } from '../limits/taken-memory.ts';

/** Memory that all threads of a relay read and write, by atomic operations. */
export type SharedMemory = {
  /** The descriptors that threads use: of all, then of each. */
  readonly descriptors: BigInt64Array;
  /** The bytes that threads take of the memory budget: of all, then of each. */
  readonly takenBytes: BigInt64Array;
  /** See `MemoryCells`. */
  readonly pressure: Int32Array;
  /** By index of `setting`. */
  readonly settings: Int32Array;
  /** How many listeners each TCP port has. */
  readonly ports: Uint16Array;
};

/** What the main thread sets: how many descriptors clients may use, and whether a level is logged. */
export const setting = { descriptors: 0, debug: 1, info: 2 } as const;

const settingCount = 3;

/** @param threads  how many share it. */
export function newSharedMemory(threads: number): SharedMemory {
  const counts = (): BigInt64Array => new BigInt64Array(new SharedArrayBuffer(8 * (threads + 1)));
  return {
    descriptors: counts(),
    takenBytes: counts(),
    pressure: new Int32Array(new SharedArrayBuffer(4 * 2)),
    settings: new Int32Array(new SharedArrayBuffer(4 * settingCount)),
    ports: new Uint16Array(new SharedArrayBuffer(2 * 65_536)),
  };
}

/** The cells of the memory budget, for a thread. */
export function memoryCells({ takenBytes, pressure }: SharedMemory, thread: number): MemoryCells {
  return { bytes: new SharedCount(takenBytes, thread), pressure };
}
