/** Where reads of quiet directions land, all of them: at most one read is in there at a time. */
export const landingBuffer = new Uint8Array(65_536);

/** Large buffers for directions that carry much, so that a read costs little per byte. */
export const privateBuffers = pool({ bufferBytes: 262_144, max: 128, quietBytes: 16_384 });

type PoolOptions = { readonly bufferBytes: number; readonly max: number; readonly quietBytes: number };

/** A bounded number of equal buffers, lent out and given back. */
type Pool = {
  /** A direction whose read brings less gives its buffer back. */
  readonly quietBytes: number;
  /** @returns undefined where all are lent out. */
  take: () => Uint8Array<ArrayBuffer> | undefined;
  release: (buffer: Uint8Array<ArrayBuffer>) => void;
};

function pool({ bufferBytes, max: most, quietBytes }: PoolOptions): Pool {
  const free: Uint8Array<ArrayBuffer>[] = [];
  let made = 0;
  return {
    quietBytes,
    take: () => {
      const buffer = free.pop();
      if (buffer !== undefined || made === most) return buffer;
      made += 1;
      return new Uint8Array(bufferBytes);
    },
    release: (buffer) => {
      free.push(buffer);
    },
  };
}
