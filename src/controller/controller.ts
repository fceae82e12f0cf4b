import { randomUUID } from 'node:crypto';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Action } from './action.ts';
import type { WorkQueue } from './work-queue.ts';

/** How a reconcile ended: with one of the actions, on a conflict with someone else's change, or with an error. */
export const outcomes = [
  'awaitChange',
  'requeueAfter',
  'resyncAfter',
  'retryAfter',
  'conflict',
  'error',
] as const;
export type Outcome = (typeof outcomes)[number];

/** What a reconcile gets besides its key. */
export type Turn = {
  /** Carries `key` and `reconcileId` in every line. */
  readonly log: Logger;
  /** How many reconciles of the key failed in a row before this one. */
  readonly failures: number;
};

/** What a controller works with. */
export type ControllerOptions<K extends string> = {
  /**
   * Brings the world to the desired state of `key`. Level-based: it gets no event, reads the whole state, and may run at any
   * time and any number of times, but never concurrently for one key.
   *
   * | it | the next reconcile of the key |
   * | --- | --- |
   * | returns `awaitChange` | when the key is added |
   * | returns `requeueAfter` | after the delay, or when the key is added |
   * | returns `resyncAfter` | in the background after about the delay, or when the key is added |
   * | returns `retryAfter` | after the delay, or when the key is added; it counts as failed |
   * | throws | after a wait that grows with every failure in a row |
   */
  readonly reconcile: (key: K, turn: Turn) => Promise<Action>;
  readonly queue: WorkQueue<K>;
  /** How many keys are reconciled at a time. */
  readonly workers: number;
  /** How many more while reconciles are slow: one that takes longer than a second no longer counts. Default 0. */
  readonly spareWorkers?: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Whether an error only means that someone else changed the object first, which is retried without a warning. */
  readonly isConflict?: (error: Error) => boolean;
  /** Called after every reconcile, for metrics. */
  readonly onTurn?: (outcome: Outcome, seconds: number) => void;
};

/** A reconcile that takes longer is waiting for someone else. */
const slowMs = 1_000;

/**
 * Runs reconciles for the keys of a queue. A failed reconcile does not affect the others; neither does one that hangs, as
 * long as there are spare workers.
 */
export class Controller<K extends string> {
  readonly #options: ControllerOptions<K>;
  readonly #runningWorkers = new Set<Promise<void>>();
  #isStarted = false;
  /** Slow reconciles whose place a spare worker has taken. */
  #replaced = 0;

  constructor(options: ControllerOptions<K>) {
    this.#options = options;
  }

  /** Whether `start` was called. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Starts the workers. A second call does nothing. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (let worker = 0; worker < this.#options.workers; worker += 1) this.#startWorker();
  }

  /** Closes the queue and resolves when the reconciles under way have ended. */
  async stop(): Promise<void> {
    this.#options.queue.close();
    await Promise.all(this.#runningWorkers);
  }

  #startWorker(): void {
    const working = this.#runWorker().finally(() => this.#runningWorkers.delete(working));
    this.#runningWorkers.add(working);
  }

  async #runWorker(): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      const isReplaced = await this.#turnInPlace(key);
      queue.done(key);
      if (isReplaced) return;
      await yieldToEventLoop(); // reconciles that never wait would otherwise starve timers and sockets
    }
  }

  /** Reconciles `key`. Returns whether it was slow, so that a spare worker has taken the place of this one. */
  async #turnInPlace(key: K): Promise<boolean> {
    const { clock, spareWorkers = 0 } = this.#options;
    const place = { isTaken: false };
    const cancel = clock.after(slowMs, () => {
      if (this.#replaced === spareWorkers) return;
      place.isTaken = true;
      this.#replaced += 1;
      this.#startWorker();
    });
    await this.#turn(key);
    cancel();
    if (place.isTaken) this.#replaced -= 1;
    return place.isTaken;
  }

  async #turn(key: K): Promise<void> {
    const { clock, log, queue, reconcile, onTurn } = this.#options;
    const startMs = clock.monotonicMs();
    const turnLog = log.child({ key, reconcileId: randomUUID() });
    const end = await reconcile(key, { log: turnLog, failures: queue.failures(key) }).catch(asError);
    const outcome = this.#outcome(end);
    this.#settle(key, outcome, end, turnLog);
    onTurn?.(outcome, (clock.monotonicMs() - startMs) / 1000);
  }

  #outcome(end: Action | Error): Outcome {
    if (!(end instanceof Error)) return end.kind;
    return this.#options.isConflict?.(end) === true ? 'conflict' : 'error';
  }

  #settle(key: K, outcome: Outcome, end: Action | Error, log: Logger): void {
    const { queue } = this.#options;
    switch (outcome) {
      case 'awaitChange':
        queue.forget(key);
        break;
      case 'requeueAfter':
        queue.forget(key);
        if ('delayMs' in end) queue.addAfter(key, end.delayMs);
        break;
      case 'resyncAfter':
        queue.forget(key);
        if ('delayMs' in end) queue.resyncAfter(key, end.delayMs);
        break;
      case 'retryAfter':
        if ('delayMs' in end) queue.retry(key, end.delayMs);
        break;
      case 'conflict':
        log.debug({ delayMs: queue.retry(key) }, 'object changed, retrying');
        break;
      case 'error':
        log.warn({ err: end, delayMs: queue.retry(key) }, 'reconcile failed, retrying');
        break;
    }
  }
}
