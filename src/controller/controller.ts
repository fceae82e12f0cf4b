import { randomUUID } from 'node:crypto';
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Action } from './action.ts';
import type { WorkQueue } from './work-queue.ts';

/** How a turn ended: asked for nothing more, for another turn, met someone else's change, or failed. */
export const outcomes = ['awaitChange', 'requeueAfter', 'resyncAfter', 'conflict', 'error'] as const;
export type Outcome = (typeof outcomes)[number];

/** What a turn is given besides its key. */
export type Turn = {
  /** Carries `key` and `reconcileId` in every line. */
  readonly log: Logger;
};

/** With what a controller works. */
export type ControllerOptions<K extends string> = {
  /**
   * Makes the world as it should be at `key`. Level-based: it is told of no event, reads the whole state, and may run at
   * any time and any number of times, never twice at a time for a key.
   *
   * | it | and the key |
   * | --- | --- |
   * | returns `awaitChange` | gets its next turn when it is added |
   * | returns `requeueAfter` | gets one after the delay, too |
   * | returns `resyncAfter` | gets one in the background after about the delay, too |
   * | throws | gets one after a wait that grows with every failure in a row |
   */
  readonly reconcile: (key: K, turn: Turn) => Promise<Action>;
  readonly queue: WorkQueue<K>;
  /** How many keys are worked on at a time. */
  readonly workers: number;
  /** How many more while turns take long: one that has taken a second gives up its place. None unless told. */
  readonly spareWorkers?: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Whether an error only says that someone else was faster, which is retried without a word. */
  readonly isConflict?: (error: Error) => boolean;
  /** Told of every turn that ended, for metrics. */
  readonly onTurn?: (outcome: Outcome, seconds: number) => void;
};

/** A turn that takes longer waits for somebody else. */
const longMs = 1_000;

/**
 * Works off a queue of keys. A turn that fails does not touch the others, nor does one that hangs, as long as there are spare
 * workers.
 */
export class Controller<K extends string> {
  readonly #options: ControllerOptions<K>;
  readonly #runningWorkers = new Set<Promise<void>>();
  #isStarted = false;
  /** Turns that gave up their place. */
  #replaced = 0;

  constructor(options: ControllerOptions<K>) {
    this.#options = options;
  }

  /** Whether it has begun. */
  get isStarted(): boolean {
    return this.#isStarted;
  }

  /** Begins; does nothing a second time. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (let worker = 0; worker < this.#options.workers; worker += 1) this.#startWorker();
  }

  /** Closes the queue and resolves when the turns under way have ended. */
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
      await yieldToEventLoop(); // turns that wait for nothing, one after another, would hold up timers and sockets
    }
  }

  /** Gives `key` its turn. Returns whether it took long, so that another worker has taken the place of this one. */
  async #turnInPlace(key: K): Promise<boolean> {
    const { clock, spareWorkers = 0 } = this.#options;
    const place = { isTaken: false };
    const cancel = clock.after(longMs, () => {
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
    const { clock, log, reconcile, onTurn } = this.#options;
    const startMs = clock.monotonicMs();
    const turnLog = log.child({ key, reconcileId: randomUUID() });
    const end = await reconcile(key, { log: turnLog }).catch(asError);
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
      case 'conflict':
        log.debug({ delayMs: queue.retry(key) }, 'changed meanwhile');
        break;
      case 'error':
        log.warn({ err: end, delayMs: queue.retry(key) }, 'reconcile failed');
        break;
    }
  }
}
