import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { clientDescriptors, DescriptorBudget, type DescriptorBudgetOptions } from './descriptor-budget.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** The shortage is over once there has been none for so long. */
const quietMs = 60_000;

/** A listening socket: where TCP clients come in. */
export type PausableListener = {
  /** Whether `shut` can let clients wait; where it cannot they are accepted, and reset for want of descriptors. */
  readonly canPause: boolean;
  /** From now on, in the same turn of the event loop, clients wait in the kernel. */
  readonly pause: () => void;
  readonly resume: () => void;
};

/** What the doors work with. */
export type DescriptorGuardContext = Pick<DescriptorBudgetOptions, 'limit' | 'listening'> & {
  readonly log: Logger;
  readonly clock: Clock;
  readonly errors: RecentErrors;
};

/**
 * The doors of TCP clients. All are shut while there are not the file descriptors for one more client: nobody is
 * closed, since the kernel keeps them. It is told when that begins, and when it has not happened for a minute.
 */
export class DescriptorGuard {
  readonly budget: DescriptorBudget;
  readonly #context: DescriptorGuardContext;
  /** The one that let the last client in is the last. */
  readonly #listeners = new Set<PausableListener>();
  #isShort = false;
  #isLogged = false;
  #isResuming = false;
  #stopTimer: () => void = () => undefined;

  constructor(context: DescriptorGuardContext) {
    this.#context = context;
    this.budget = new DescriptorBudget({
      ...context,
      onChange: () => {
        this.#check();
      },
    });
  }

  /** Whether there are no descriptors for another client. */
  get isShort(): boolean {
    return this.#isShort;
  }

  add(listener: PausableListener): void {
    this.#listeners.add(listener);
    this.#check(); // a listening socket takes a descriptor, too
    if (!this.#isShort) return;
    listener.pause();
    this.#logStart();
  }

  /** `listener` lets a client in: it is the last to be opened, so that none is always the first. */
  accepted(listener: PausableListener): void {
    if (this.#listeners.delete(listener)) this.#listeners.add(listener);
  }

  /** Tells nothing any more. */
  stop(): void {
    this.#stopTimer();
  }

  remove(listener: PausableListener): void {
    this.#listeners.delete(listener);
    this.#check();
  }

  #check(): void {
    const hasRoom = this.budget.hasRoom(clientDescriptors);
    if (!this.#isShort && !hasRoom) this.#pauseAll();
    else if (this.#isShort && hasRoom) this.#resumeSoon();
  }

  #pauseAll(): void {
    this.#isShort = true;
    for (const listener of this.#listeners) listener.pause();
    this.#logStart();
  }

  /** Once a turn of the event loop, however many clients have gone in it. */
  #resumeSoon(): void {
    if (this.#isResuming) return;
    this.#isResuming = true;
    setImmediate(() => {
      this.#isResuming = false;
      if (!this.budget.hasRoom(clientDescriptors)) return;
      this.#isShort = false;
      for (const listener of this.#listeners) listener.resume();
      this.#logEndLater();
    });
  }

  #logStart(): void {
    this.#stopTimer();
    if (this.#isLogged || this.#listeners.size === 0) return;
    this.#isLogged = true;
    const { log, errors, limit } = this.#context;
    const isKept = [...this.#listeners].every(({ canPause: canShut }) => canShut);
    const message = `file descriptors are short, TCP clients ${isKept ? 'wait in the kernel' : 'are reset'}`;
    errors.add({ endpoint: '', side: 'relay', reason: 'DescriptorsShort', error: { message } });
    log.warn({ openFiles: limit }, message);
  }

  #logEndLater(): void {
    if (!this.#isLogged) return;
    const { clock, log } = this.#context;
    this.#stopTimer = clock.after(quietMs, () => {
      this.#isLogged = false;
      log.info('there are file descriptors for TCP clients again');
    });
  }
}
