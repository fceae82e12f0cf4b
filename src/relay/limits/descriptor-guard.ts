import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { clientDescriptors, DescriptorBudget, type DescriptorBudgetOptions } from './descriptor-budget.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** The shortage is over once there has been none for so long. */
const quietMs = 60_000;

/** A listening socket: where TCP clients come in. */
export type Door = {
  /** Whether `shut` can let clients wait; where it cannot they are accepted, and reset for want of descriptors. */
  readonly canShut: boolean;
  /** From now on, in the same turn of the event loop, clients wait in the kernel. */
  readonly shut: () => void;
  readonly open: () => void;
};

/** What the doors work with. */
export type DoorsContext = Pick<DescriptorBudgetOptions, 'limit' | 'listening'> & {
  readonly log: Logger;
  readonly clock: Clock;
  readonly errors: RecentErrors;
};

/**
 * The doors of TCP clients. All are shut while there are not the file descriptors for one more client: nobody is
 * closed, since the kernel keeps them. It is told when that begins, and when it has not happened for a minute.
 */
export class Doors {
  readonly budget: DescriptorBudget;
  readonly #context: DoorsContext;
  /** The one that let the last client in is the last. */
  readonly #doors = new Set<Door>();
  #isShort = false;
  #isTold = false;
  #isOpening = false;
  #stopTimer: () => void = () => undefined;

  constructor(context: DoorsContext) {
    this.#context = context;
    this.budget = new DescriptorBudget({
      ...context,
      onChange: () => {
        this.#look();
      },
    });
  }

  /** Whether there are no descriptors for another client. */
  get isShort(): boolean {
    return this.#isShort;
  }

  add(door: Door): void {
    this.#doors.add(door);
    this.#look(); // a listening socket takes a descriptor, too
    if (!this.#isShort) return;
    door.shut();
    this.#tellBegin();
  }

  /** `door` lets a client in: it is the last to be opened, so that none is always the first. */
  pass(door: Door): void {
    if (this.#doors.delete(door)) this.#doors.add(door);
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#stopTimer();
  }

  remove(door: Door): void {
    this.#doors.delete(door);
    this.#look();
  }

  #look(): void {
    const hasRoom = this.budget.hasRoom(clientDescriptors);
    if (!this.#isShort && !hasRoom) this.#shut();
    else if (this.#isShort && hasRoom) this.#openSoon();
  }

  #shut(): void {
    this.#isShort = true;
    for (const door of this.#doors) door.shut();
    this.#tellBegin();
  }

  /** Once a turn of the event loop, however many clients have gone in it. */
  #openSoon(): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    setImmediate(() => {
      this.#isOpening = false;
      if (!this.budget.hasRoom(clientDescriptors)) return;
      this.#isShort = false;
      for (const door of this.#doors) door.open();
      this.#tellEndLater();
    });
  }

  #tellBegin(): void {
    this.#stopTimer();
    if (this.#isTold || this.#doors.size === 0) return;
    this.#isTold = true;
    const { log, errors, limit } = this.#context;
    const isKept = [...this.#doors].every(({ canShut }) => canShut);
    const message = `file descriptors are short, TCP clients ${isKept ? 'wait in the kernel' : 'are reset'}`;
    errors.add({ endpoint: '', side: 'relay', reason: 'DescriptorsShort', error: { message } });
    log.warn({ openFiles: limit }, message);
  }

  #tellEndLater(): void {
    if (!this.#isTold) return;
    const { clock, log } = this.#context;
    this.#stopTimer = clock.after(quietMs, () => {
      this.#isTold = false;
      log.info('there are file descriptors for TCP clients again');
    });
  }
}
