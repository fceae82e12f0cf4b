import { OwnCount, type Count } from './count.ts';

/** What a datagram that is kept takes beside its bytes: empty ones count, too. */
export const datagramOverheadBytes = 200;

/** Memory for what connections take, as connections use it. */
export type ConnectionMemory = {
  /** Whether reads should be small. */
  readonly isTight: boolean;
  readonly take: (bytes: number) => void;
  readonly release: (bytes: number) => void;
};

/** Where the count and its consequences are kept, so that threads can share them. */
export type MemoryCells = {
  readonly bytes: Count;
  /** 1 or 0: whether memory is tight, and whether it is short. */
  readonly pressure: Int32Array;
};

const [tight, short] = [0, 1];

/** Cells of one thread. */
export function ownMemoryCells(): MemoryCells {
  return { bytes: new OwnCount(), pressure: new Int32Array(2) };
}

/**
 * What is taken of a memory budget. It is *tight* from half of the budget on, and *short* from all of it on, until an
 * eighth is free.
 */
export class TakenMemory implements ConnectionMemory {
  readonly #budgetBytes: number;
  readonly #cells: MemoryCells;
  readonly #onShortChanged: () => void;

  /** @param onShortChanged  called in the thread whose change made it short, or ended that. */
  constructor(budgetBytes: number, cells: MemoryCells, onShortChanged: () => void) {
    this.#budgetBytes = budgetBytes;
    this.#cells = cells;
    this.#onShortChanged = onShortChanged;
  }

  get bytes(): number {
    return this.#cells.bytes.value;
  }

  get isTight(): boolean {
    return this.#cells.pressure[tight] !== 0;
  }

  get isShort(): boolean {
    return Atomics.load(this.#cells.pressure, short) !== 0;
  }

  take(bytes: number): void {
    this.#update(this.#cells.bytes.add(bytes));
  }

  release(bytes: number): void {
    this.take(-bytes);
  }

  /** To be called after what a thread has taken was given back. */
  update(): void {
    this.#update(this.bytes);
  }

  #update(bytes: number): void {
    const { pressure } = this.#cells;
    const budgetBytes = this.#budgetBytes;
    const isTight = Number(bytes >= budgetBytes / 2);
    if (pressure[tight] !== isTight) pressure[tight] = isTight;
    const before = Atomics.load(pressure, short);
    const isShort = Number(bytes >= (before === 0 ? budgetBytes : (budgetBytes * 7) / 8));
    if (isShort === before) return;
    if (Atomics.compareExchange(pressure, short, before, isShort) === before) this.#onShortChanged();
  }
}
