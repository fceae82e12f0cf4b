/** Receives the reads of all quiet directions. A reader has to empty it before the next read, so that one is enough. */
export const landingBuffer = new Uint8Array(65_536);

/** The beginning of the same buffer, for reads while memory is short. */
export const smallLandingBuffer = landingBuffer.subarray(0, 4096);

/** Large buffers for busy directions, so that a read costs little per byte. */
export const privateBuffers = pool({ bufferBytes: 262_144, max: 128 });

/** A direction whose read brings fewer bytes returns its private buffer. */
export const quietBytes = 16_384;

/**
 * For copies of what was read into the landing buffer, as long as they are being written: of many directions that do
 * not have to wait, one is enough, and none becomes garbage.
 */
export const copyBuffers = pool({ bufferBytes: landingBuffer.length, max: Infinity });

/** A smaller part gets a buffer of its own size. */
export const minCopyBytes = 32_768;

/** Frees what no direction uses, after a burst. */
export function trimBuffers(): void {
  privateBuffers.trim();
  copyBuffers.trim();
}

type PoolOptions = { readonly bufferBytes: number; readonly max: number };

/** A bounded number of buffers of equal size. */
type Pool = {
  /** @returns undefined if all of them are in use. */
  take: () => Uint8Array<ArrayBuffer> | undefined;
  release: (buffer: Uint8Array<ArrayBuffer>) => void;
  /** Frees the buffers that are not in use. */
  trim: () => void;
};

function pool({ bufferBytes, max }: PoolOptions): Pool {
  const free: Uint8Array<ArrayBuffer>[] = [];
  let made = 0;
  return {
    take: () => {
      const buffer = free.pop();
      if (buffer !== undefined || made === max) return buffer;
      made += 1;
      return new Uint8Array(bufferBytes);
    },
    release: (buffer) => {
      free.push(buffer);
    },
    trim: () => {
      made -= free.length;
      free.length = 0;
    },
  };
}
