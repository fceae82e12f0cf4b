import type { Clock } from '../../lib/clock.ts';
import { present } from '../../lib/record.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { Count } from './count.ts';
import { clientDescriptors, DescriptorBudget } from './descriptor-budget.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** A shortage is over once there has been none for so long. */
const quietMs = 60_000;

/** A TCP listener that can be paused. */
export type PausableListener = {
  /** Whether `pause` makes clients wait; if not, they are accepted, and reset for lack of descriptors. */
  readonly canPause: boolean;
  /** Clients wait in the kernel from now on, in the same turn of the event loop. */
  readonly pause: () => void;
  readonly resume: () => void;
};

/** What a descriptor guard works with. */
export type DescriptorGuardContext = {
  /** How many files the process may have open. */
  readonly limit: number;
  /** How many listening sockets are open. */
  readonly listening: () => number;
  readonly memory: MemoryBudget;
  readonly log: Logger;
  readonly clock: Clock;
  readonly errors: RecentErrors;
  /** Shared with other threads that use descriptors; its own by default. */
  readonly used?: Count;
};

/**
 * Pauses all TCP listeners while the file descriptors do not suffice for one more client, or memory is short: no client
 * is lost, since the kernel keeps them. The guard logs the start of a shortage of descriptors, and its end once there has
 * been none for a minute; the memory budget logs its own.
 */
export class DescriptorGuard {
  readonly budget: DescriptorBudget;
  readonly #context: DescriptorGuardContext;
  /** The listener of the latest client comes last. */
  readonly #listeners = new Set<PausableListener>();
  #latest: PausableListener | undefined;
  #isPaused = false;
  #isLogged = false;
  #isResuming = false;
  #stopTimer: () => void = () => undefined;

  constructor(context: DescriptorGuardContext) {
    const { limit, listening, memory, used } = context;
    const onChange = (): void => {
      this.check();
    };
    this.#context = context;
    this.budget = new DescriptorBudget({ limit, listening, onChange, ...present('used', used) });
    memory.watch(onChange);
  }

  /** Whether there are too few descriptors for another client. */
  get isShort(): boolean {
    return this.#isPaused && !this.#hasDescriptors;
  }

  add(listener: PausableListener): void {
    this.#listeners.add(listener);
    this.#latest = undefined;
    this.check(); // a listening socket uses a descriptor, too
    if (!this.#isPaused) return;
    listener.pause();
    if (!this.#hasDescriptors) this.#logStart();
  }

  /** `listener` accepted a client: it is resumed last, so that no listener is always the first. */
  accepted(listener: PausableListener): void {
    if (listener === this.#latest) return;
    this.#latest = listener;
    if (this.#listeners.delete(listener)) this.#listeners.add(listener);
  }

  /** Logs nothing any more. */
  stop(): void {
    this.#stopTimer();
  }

  /** @returns whether it was guarded until now. */
  remove(listener: PausableListener): boolean {
    const isGuarded = this.#listeners.delete(listener);
    this.check();
    return isGuarded;
  }

  get #hasDescriptors(): boolean {
    return this.budget.hasRoom(clientDescriptors);
  }

  get #hasRoom(): boolean {
    return this.#hasDescriptors && !this.#context.memory.isShort;
  }

  /** Pauses or resumes the listeners; to be called when another thread has used or freed descriptors. */
  check(): void {
    if (!this.#isPaused && !this.#hasRoom) this.#pauseAll();
    else if (this.#isPaused && this.#hasRoom) this.#resumeSoon();
  }

  #pauseAll(): void {
    this.#isPaused = true;
    for (const listener of this.#listeners) listener.pause();
    if (!this.#hasDescriptors) this.#logStart();
  }

  /** Once per turn of the event loop, however many clients went in it. */
  #resumeSoon(): void {
    if (this.#isResuming) return;
    this.#isResuming = true;
    setImmediate(() => {
      this.#isResuming = false;
      if (!this.#hasRoom) return;
      this.#isPaused = false;
      for (const listener of this.#listeners) listener.resume();
      this.#logEndLater();
    });
  }

  #logStart(): void {
    this.#stopTimer();
    if (this.#isLogged || this.#listeners.size === 0) return;
    this.#isLogged = true;
    const { log, errors, limit } = this.#context;
    const isKept = [...this.#listeners].every(({ canPause }) => canPause);
    const message = `file descriptor limit reached, TCP clients ${isKept ? 'wait in the kernel' : 'are reset'}`;
    errors.add({ endpoint: '', side: 'relay', reason: 'DescriptorsShort', error: { message } });
    log.warn({ openFiles: limit }, message);
  }

  #logEndLater(): void {
    if (!this.#isLogged) return;
    const { clock, log } = this.#context;
    this.#stopTimer = clock.after(quietMs, () => {
      this.#isLogged = false;
      log.info('file descriptors available again for TCP clients');
    });
  }
}
