import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { KeyTimers } from './key-timers.ts';

/** What a queue works with. */
export type WorkQueueOptions = {
  readonly clock: Clock;
  /** How long a key waits after a failed reconcile. */
  readonly backoff: Backoff;
  /** In [0, 1), for the jitter; default `Math.random`. */
  readonly random?: () => number;
  readonly observer?: WorkQueueObserver;
};

/** Called with what happens to keys, for metrics. */
export type WorkQueueObserver = {
  /** A key started to wait. */
  readonly added: () => void;
  /** A key is retried after a failure. */
  readonly retried: () => void;
  /** A key was handed to a worker, this long after it was added. */
  readonly taken: (seconds: number) => void;
  /** A key was handed back, this long after a worker took it. */
  readonly done: (seconds: number) => void;
};

/** What a queue reports about itself at any time. */
export type QueueGauges = {
  /** How many keys wait for a worker. */
  readonly depth: number;
  /** How long each key under way has been worked on so far, in seconds. */
  readonly processingSeconds: readonly number[];
};

/**
 * Why a key is reconciled: because something happened (`news`), or as a routine check of what is most likely in order
 * (`background`). In the order in which they are served.
 */
export const urgencies = ['news', 'background'] as const;
export type Urgency = (typeof urgencies)[number];

/** After this many keys with news in a row, one from the background is served, so that those do not starve. */
const newsInARow = 9;
/** By which part of its delay a resync comes sooner or later at most, so that keys which came together spread out. */
const resyncJitter = 0.1;
/** Resyncs are rounded to this part of their delay, so that keys which came together share timers. */
const resyncGrain = 0.001;

type Since = { readonly sinceMs: number; readonly urgency: Urgency };
type Delayed = { readonly dueMs: number; readonly urgency: Urgency };

/**
 * The keys that have to be reconciled: those with news before those in the background, first come, first served in each.
 *
 * A key waits at most once, however often it is added; one that waits in the background and gets news moves to the news. A
 * key is never processed twice at a time: one that is added while it is processed waits again afterwards. Taking a key
 * cancels its delayed turn, since its reconcile reads the whole state and requests the next one itself.
 *
 * ```text
 *   add ───────────────► waiting ── next ──► processing ── done ──► forgotten
 *   addAfter ─► delayed ───┘   ▲                 │ added meanwhile
 *   resyncAfter ──┤            └─────────────────┘
 *   retry ────────┘
 * ```
 *
 * Source: the priority queue of controller-runtime, where resyncs and the objects of the initial list come last, too.
 */
export class WorkQueue<K extends string> implements QueueGauges {
  readonly #options: WorkQueueOptions;
  /** In the order of arrival, with the time of it in monotonic ms. */
  readonly #waiting: Readonly<Record<Urgency, Map<K, number>>> = { news: new Map(), background: new Map() };
  readonly #processing = new Map<K, Since>();
  /** Added while they were being processed. */
  readonly #dirty = new Map<K, Since>();
  readonly #delayed = new Map<K, Delayed>();
  readonly #timers: KeyTimers<K>;
  readonly #failures = new Map<K, number>();
  readonly #takers: ((key: K | undefined) => void)[] = [];
  #newsTaken = 0;
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#timers = new KeyTimers(options.clock, (key) => {
      this.add(key, this.#undelayed(key)?.urgency);
    });
  }

  get depth(): number {
    return this.#waiting.news.size + this.#waiting.background.size;
  }

  get processingSeconds(): readonly number[] {
    return [...this.#processing.values()].map(({ sinceMs }) => this.#secondsSince(sinceMs));
  }

  /** Queues `key`. */
  add(key: K, urgency: Urgency = 'news'): void {
    if (this.#closed) return;
    const sinceMs = this.#options.clock.monotonicMs();
    const isNew = this.#processing.has(key)
      ? this.#addDirty(key, { sinceMs, urgency })
      : this.#addWaiting(key, { sinceMs, urgency });
    if (!isNew) return;
    this.#options.observer?.added();
    this.#serve();
  }

  /** Queues `key` after `delayMs`, or when an earlier delayed turn is due; as news if either of them is. */
  addAfter(key: K, delayMs: number, urgency: Urgency = this.#urgencyOfTurn(key)): void {
    this.#addAt(key, { dueMs: this.#options.clock.monotonicMs() + delayMs, urgency });
  }

  /** Queues `key` in the background after `delayMs` plus or minus a tenth, or when an earlier delayed turn is due. */
  resyncAfter(key: K, delayMs: number): void {
    const { clock, random = Math.random } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs * (1 + resyncJitter * (2 * random() - 1));
    const grainMs = delayMs * resyncGrain;
    this.#addAt(key, { dueMs: Math.round(dueMs / grainMs) * grainMs, urgency: 'background' });
  }

  /**
   * Queues `key`, whose reconcile failed, with the same urgency after a wait that grows with every failure in a row.
   *
   * @param waitMs  the wait in milliseconds, if it is known.
   * @returns the wait in milliseconds.
   */
  retry(key: K, waitMs?: number): number {
    const { backoff, random = Math.random, observer } = this.#options;
    observer?.retried();
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    const delayMs = waitMs ?? backoffMs(backoff, failures, random());
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** Queues every key that waits for a retry after a failure: what they failed for is over. */
  retryNow(): void {
    for (const key of this.#failures.keys()) if (this.#delayed.has(key)) this.add(key);
  }

  /** How many reconciles of `key` failed in a row. */
  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Resets the failures of `key`. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** Waits for the next key, which must be handed back with `done`; undefined once the queue is closed. */
  next(): Promise<K | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    if (this.depth > 0) return Promise.resolve(this.#take());
    const { promise, resolve } = Promise.withResolvers<K | undefined>();
    this.#takers.push(resolve);
    return promise;
  }

  /** Hands `key` back after its reconcile. */
  done(key: K): void {
    const [turn, dirty] = [this.#processing.get(key), this.#dirty.get(key)];
    this.#processing.delete(key);
    if (turn !== undefined) this.#options.observer?.done(this.#secondsSince(turn.sinceMs));
    if (dirty === undefined) return;
    this.#dirty.delete(key);
    this.#addWaiting(key, dirty);
    this.#serve();
  }

  /** Closes the queue: `next` returns undefined, and all timers are cancelled. */
  close(): void {
    this.#closed = true;
    this.#timers.clear();
    this.#delayed.clear();
    for (const urgency of urgencies) this.#waiting[urgency].clear();
    this.#dirty.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }

  #addAt(key: K, { dueMs, urgency }: Delayed): void {
    if (this.#closed) return;
    const earlier = this.#undelayed(key);
    const delayed = {
      dueMs: Math.min(dueMs, earlier?.dueMs ?? Infinity),
      urgency: moreUrgent(urgency, earlier?.urgency),
    };
    this.#delayed.set(key, delayed);
    this.#timers.set(key, delayed.dueMs);
  }

  /** Cancels the delayed turn of `key` and returns it, if there is one. */
  #undelayed(key: K): Delayed | undefined {
    const delayed = this.#delayed.get(key);
    if (delayed === undefined) return undefined;
    this.#delayed.delete(key);
    this.#timers.cancel(key, delayed.dueMs);
    return delayed;
  }

  /** Returns whether `key` was not waiting already. */
  #addWaiting(key: K, { sinceMs, urgency }: Since): boolean {
    const { news, background } = this.#waiting;
    if (news.has(key)) return false;
    const inBackgroundMs = background.get(key);
    if (urgency === 'background' && inBackgroundMs !== undefined) return false;
    background.delete(key);
    this.#waiting[urgency].set(key, inBackgroundMs ?? sinceMs);
    return inBackgroundMs === undefined;
  }

  /** Returns whether `key` was not marked already. */
  #addDirty(key: K, { sinceMs, urgency }: Since): boolean {
    const before = this.#dirty.get(key);
    this.#dirty.set(key, {
      sinceMs: before?.sinceMs ?? sinceMs,
      urgency: moreUrgent(urgency, before?.urgency),
    });
    return before === undefined;
  }

  /** The urgency with which `key` is being processed. */
  #urgencyOfTurn(key: K): Urgency {
    return this.#processing.get(key)?.urgency ?? 'news';
  }

  /** Hands the first waiting key to a waiting worker. */
  #serve(): void {
    if (this.#takers.length > 0 && this.depth > 0) this.#takers.shift()?.(this.#take());
  }

  #secondsSince(ms: number): number {
    return (this.#options.clock.monotonicMs() - ms) / 1000;
  }

  /** From which of the two the next key is taken. */
  #nextUrgency(): Urgency {
    const { news, background } = this.#waiting;
    if (background.size === 0) return 'news';
    return news.size === 0 || this.#newsTaken >= newsInARow ? 'background' : 'news';
  }

  #take(): K | undefined {
    const urgency = this.#nextUrgency();
    const [first] = this.#waiting[urgency];
    if (first === undefined) return undefined;
    this.#newsTaken = urgency === 'news' ? this.#newsTaken + 1 : 0;
    const [key, sinceMs] = first;
    this.#options.observer?.taken(this.#secondsSince(sinceMs));
    this.#waiting[urgency].delete(key);
    this.#processing.set(key, { sinceMs: this.#options.clock.monotonicMs(), urgency });
    this.#undelayed(key);
    return key;
  }
}

function moreUrgent(a: Urgency, b: Urgency | undefined): Urgency {
  return b === 'news' ? b : a;
}
