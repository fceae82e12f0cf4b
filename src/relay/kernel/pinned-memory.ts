import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';

/**
 * Memory that structs of the kernel are in, or point to. It stays where it is for as long as this object lives, and what it
 * points to lives as long.
 */
export class PinnedMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** Below 2^53: user space ends at 2^47, or at 2^52 with the largest pages of arm64. */
  readonly #address: number;
  readonly #targets = new Set<PinnedMemory>();
  #latestTarget: PinnedMemory | undefined;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(bytes));
    this.view = new DataView(this.bytes.buffer);
    this.#address = Number(library().pointerTo(this.bytes));
  }

  /** Writes at `at` where byte `offset` of `target` is. @throws KernelMisuseError if `target` has no such byte. */
  pointTo(at: number, target: PinnedMemory, offset: number): void {
    if (!(offset >= 0 && offset <= target.bytes.length))
      throw new KernelMisuseError(`there is no byte ${String(offset)} to point to`);
    if (target !== this.#latestTarget) this.#targets.add(target);
    this.#latestTarget = target;
    const address = target.#address + offset;
    this.view.setUint32(at, address % 0x1_0000_0000, true);
    this.view.setUint32(at + 4, Math.floor(address / 0x1_0000_0000), true);
  }

  /** Writes a size_t below 4 GiB, without the BigInt that its upper half would cost. */
  setSize(at: number, size: number): void {
    this.view.setUint32(at, size, true);
    this.view.setUint32(at + 4, 0, true);
  }
}
