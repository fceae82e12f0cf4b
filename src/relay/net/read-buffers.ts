/** Receives the reads of all quiet directions. A reader has to empty it before the next read, so that one is enough. */
export const landingBuffer = new Uint8Array(65_536);

/** Large buffers for busy directions, so that a read costs little per byte. */
export const privateBuffers = pool({ bufferBytes: 262_144, max: 128, quietBytes: 16_384 });

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
    },
  };
}
