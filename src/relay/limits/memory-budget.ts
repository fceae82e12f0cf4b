import { totalmem } from 'node:os';
import type { Clock } from '../../lib/clock.ts';
import { LinkedList, type ListNode } from '../../lib/linked-list.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Incident } from '../stats/incident.ts';
import type { MemoryUse } from '../stats/memory-use.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { ownMemoryCells, TakenMemory, type ConnectionMemory, type MemoryCells } from './taken-memory.ts';

const mebibyte = 1024 * 1024;

/** Without a limit of the system. */
const defaultBytes = 256 * mebibyte;
const minBytes = 16 * mebibyte;
/** What a process uses without clients, and what the runtime has not collected yet. */
const ownBytes = 96 * mebibyte;
/** The same for each further thread. */
const threadBytes = 24 * mebibyte;

/**
 * The memory budget of a process: half of what the cgroup's limit leaves beside its own need, since garbage that is not
 * collected yet counts, too; 256 MiB without a limit, at least 16 MiB.
 *
 * @param threads     number of threads that serve clients.
 * @param limitBytes  the cgroup's limit; 0, or more than the machine has, if there is none.
 */
export function memoryBudgetBytes(threads: number, limitBytes = process.constrainedMemory()): number {
  if (limitBytes === 0 || limitBytes >= totalmem()) return defaultBytes;
  const needed = ownBytes + (threads - 1) * threadBytes;
  return Math.max(minBytes, Math.floor((limitBytes - needed) / 2));
}

/** What a memory budget works with. */
export type MemoryBudgetContext = {
  readonly budgetBytes: number;
  readonly log: Logger;
  readonly clock: Clock;
  readonly errors: RecentErrors;
  /** Shared with other threads that take memory; its own by default. */
  readonly cells?: MemoryCells;
};

/** What waits and may be dropped gets no more than this part of the budget. */
const heldPart = 1 / 8;

const shortage = 'memory budget used up, dropping waiting datagrams or keeping new TCP clients waiting';

/** Bytes that wait and that may be dropped. Its size changes by `resize`. */
export class Holding {
  bytes = 0;
  /** Its place among the holdings that are not empty. */
  node: ListNode<Holding> | undefined;
  /** Drops what it holds. */
  readonly drop: () => void;
  readonly #budget: MemoryBudget;

  constructor(budget: MemoryBudget, drop: () => void) {
    this.#budget = budget;
    this.drop = drop;
  }

  /** It holds `bytes` from now on. To make room for more, the budget may drop any holding, also this one. */
  resize(bytes: number): void {
    if (bytes !== this.bytes) this.#budget.resize(this, bytes);
  }
}

/**
 * The memory that clients may make this process use, beside a fixed amount for each connection: what was read and is not
 * written yet, and large read buffers, are *taken*; what waits for an answer is a *holding*.
 *
 * The holdings that have waited longest are dropped once all of them exceed an eighth of the budget, or what is left of
 * it. If what is taken uses half of it, reads are small (`isTight`); if it uses all of it, new TCP clients wait (`isShort`)
 * until an eighth is free.
 */
export class MemoryBudget implements ConnectionMemory {
  readonly #budgetBytes: number;
  readonly #taken: TakenMemory;
  readonly #errors: RecentErrors;
  readonly #incident: Incident;
  /** Those that are not empty, in the order in which they began to wait. */
  readonly #holdings = new LinkedList<Holding>();
  #heldBytes = 0;
  #dropped = 0;
  #onChange: () => void = () => undefined;

  constructor({ budgetBytes, log, clock, errors, cells = ownMemoryCells() }: MemoryBudgetContext) {
    this.#budgetBytes = budgetBytes;
    this.#taken = new TakenMemory(budgetBytes, cells, () => {
      this.shortChanged();
    });
    this.#errors = errors;
    let droppedBefore = 0;
    this.#incident = new Incident(clock, {
      started: () => {
        droppedBefore = this.#dropped;
        const [waitingDatagramBytes, otherBytes] = [this.#heldBytes, this.#taken.bytes];
        log.warn({ budgetBytes, waitingDatagramBytes, otherBytes }, shortage);
      },
      ended: () => {
        log.info({ dropped: this.#dropped - droppedBefore }, 'memory available again');
      },
    });
  }

  get isTight(): boolean {
    return this.#taken.isTight;
  }

  get isShort(): boolean {
    return this.#taken.isShort;
  }

  get use(): MemoryUse {
    const usedBytes = this.#taken.bytes + this.#heldBytes;
    return { budgetBytes: this.#budgetBytes, usedBytes, dropped: this.#dropped };
  }

  /** @param onChange  called when `isShort` changes. */
  watch(onChange: () => void): void {
    this.#onChange = onChange;
  }

  take(bytes: number): void {
    this.#taken.take(bytes);
    this.#makeRoom();
  }

  release(bytes: number): void {
    this.#taken.release(bytes);
  }

  /** Another thread has made it short, or ended that. */
  shortChanged(): void {
    if (this.isShort) this.#occurred();
    this.#onChange();
  }

  /** Another thread has ended, and what it had taken was given back. */
  update(): void {
    this.#taken.update();
  }

  /** A holding, empty at first. @param drop  drops what it holds; called when it has waited longest and memory is short. */
  hold(drop: () => void): Holding {
    return new Holding(this, drop);
  }

  /** For `Holding.resize`. */
  resize(holding: Holding, bytes: number): void {
    const before = holding.bytes;
    holding.bytes = bytes;
    this.#heldBytes += bytes - before;
    if (before === 0) holding.node = this.#holdings.push(holding);
    else if (bytes === 0 && holding.node !== undefined) this.#holdings.remove(holding.node);
    if (bytes > before) this.#makeRoom();
  }

  /** Ends a running incident. */
  end(): void {
    this.#incident.end();
  }

  #makeRoom(): void {
    const maxHeldBytes = Math.min(this.#budgetBytes * heldPart, this.#budgetBytes - this.#taken.bytes);
    while (this.#heldBytes > maxHeldBytes) {
      const oldest = this.#holdings.first?.value;
      if (oldest === undefined) return;
      this.#occurred();
      this.#dropped += 1;
      this.resize(oldest, 0);
      oldest.drop();
    }
  }

  #occurred(): void {
    this.#errors.add({ endpoint: '', side: 'relay', reason: 'MemoryShort', error: { message: shortage } });
    this.#incident.occurred();
  }
}
