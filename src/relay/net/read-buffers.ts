/** Receives the reads of all quiet directions. A reader has to empty it before the next read, so that one is enough. */
export const landingBuffer = new Uint8Array(65_536);

/** The beginning of the same buffer, for reads while memory is short. */
export const smallLandingBuffer = landingBuffer.subarray(0, 4096);

/** Large buffers for busy directions, so that a read costs little per byte. */
export const privateBuffers = pool({ bufferBytes: 262_144, max: 128, quietBytes: 16_384 });

/** Free buffers that are kept, however few are in use. */
const minKept = 8;

type PoolOptions = { readonly bufferBytes: number; readonly max: number; readonly quietBytes: number };

/** A bounded number of buffers of equal size. */
type Pool = {
  /** A direction whose read brings fewer bytes returns its buffer. */
  readonly quietBytes: number;
  /** @returns undefined if all of them are in use. */
  take: () => Uint8Array<ArrayBuffer> | undefined;
  release: (buffer: Uint8Array<ArrayBuffer>) => void;
};

function pool({ bufferBytes, max, quietBytes }: PoolOptions): Pool {
  const free: Uint8Array<ArrayBuffer>[] = [];
  let made = 0;
  return {
    quietBytes,
    take: () => {
      const buffer = free.pop();
      if (buffer !== undefined || made === max) return buffer;
      made += 1;
      return new Uint8Array(bufferBytes);
    },
    release: (buffer) => {
      free.push(buffer);
      // After a burst the memory comes back: no more buffers stay free than are in use.
      while (free.length > Math.max(minKept, made - free.length)) {
        free.pop();
        made -= 1;
      }
    },
  };
}
