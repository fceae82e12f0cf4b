import { KernelMisuseError } from './errno.ts';
import { library } from './library.ts';

/** Memory for a call, which a living object holds. */
export type Memory = { readonly pointer: bigint };

/**
 * Memory that calls read or write, and that structs of the kernel are in, or point to. It stays where it is for as long as this
 * object lives, and what it points to lives as long.
 */
export class PinnedMemory implements Memory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly #targets = new Set<PinnedMemory>();
  #latestTarget: PinnedMemory | undefined;
  #pointer: bigint | undefined;
  /** The same as a number: below 2^53, since user space ends at 2^47, or at 2^52 with the largest pages of arm64. */
  #address = 0;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(bytes));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Where it is, for this room. @throws KernelUnavailableError if this process cannot make system calls. */
  get pointer(): bigint {
    return this.#pointer ?? this.#find();
  }

  /** The part of it that begins at byte `offset`, for a call. @throws KernelMisuseError if there is no such byte. */
  from(offset: number): Memory {
    this.#check(offset);
    return offset === 0 ? this : { pointer: this.pointer + BigInt(offset) };
  }

  /** Writes at `at` where byte `offset` of `target` is. @throws KernelMisuseError if `target` has no such byte. */
  pointTo(at: number, target: PinnedMemory, offset: number): void {
    target.#check(offset);
    if (target.#pointer === undefined) target.#find();
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

  #find(): bigint {
    const pointer = library().pointerTo(this.bytes);
    this.#pointer = pointer;
    this.#address = Number(pointer);
    return pointer;
  }

  #check(offset: number): void {
    if (offset >= 0 && offset <= this.bytes.length) return;
    throw new KernelMisuseError(`there is no byte ${String(offset)} to point to`);
  }
}
