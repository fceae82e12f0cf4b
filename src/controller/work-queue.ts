import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { KeyTimers } from './key-timers.ts';

/** With what a queue works. */
export type WorkQueueOptions = {
  readonly clock: Clock;
  /** How long a key that failed waits before its next turn. */
  readonly backoff: Backoff;
  /** In [0, 1), for the jitter; `Math.random` unless told. */
  readonly random?: () => number;
  readonly observer?: WorkQueueObserver;
};

/** Who is told what becomes of keys, for metrics. */
export type WorkQueueObserver = {
  /** A key came to wait. */
  readonly added: () => void;
  /** A key whose turn failed gets another one. */
  readonly retried: () => void;
  /** A key's turn came, so long after it was added. */
  readonly taken: (seconds: number) => void;
  /** A key was handed back, so long after its turn came. */
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
 * Whether a turn is for something that happened, or for a look at what is most likely as it should be. In the order in which
 * they are served.
 */
export const urgencies = ['news', 'background'] as const;
export type Urgency = (typeof urgencies)[number];

/** After so many turns for news, one in the background comes between: it must not wait for ever either. */
const newsInARow = 9;
/** How much sooner or later than asked a resync comes, at most: keys that came together shall not do so for ever. */
const resyncJitter = 0.1;
/** The part of its delay to which a resync comes on time: those of keys that came together share timers. */
const resyncGrain = 0.001;

type Since = { readonly sinceMs: number; readonly urgency: Urgency };
type Delayed = { readonly dueMs: number; readonly urgency: Urgency };

/**
 * The keys that have work to do: those with news before those in the background, and of each first come, first served.
 *
 * A key waits at most once, however often it is added; one that waits in the background and gets news is served with the
 * news. It is never worked on twice at a time: one that is added while it is worked on waits again after that. A key
 * whose turn comes has no delayed turn left: whoever works on it sees everything, and says when to look again.
 *
 * ```text
 *   add ───────────────► waiting ── next ──► processing ── done ──► forgotten
 *   addAfter ─► delayed ───┘   ▲                 │ added meanwhile
 *   resyncAfter ──┤            └─────────────────┘
 *   retry ────────┘
 * ```
 *
 * Source: the priority queue of controller-runtime, where resyncs and the objects that there are at the start come last, too.
 */
export class WorkQueue<K extends string> implements QueueGauges {
  readonly #options: WorkQueueOptions;
  /** In the order of arrival; since when, in monotonic ms. */
  readonly #waiting: Readonly<Record<Urgency, Map<K, number>>> = { news: new Map(), background: new Map() };
  readonly #processing = new Map<K, Since>();
  /** Added while they were worked on. */
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

  /** Gives `key` a turn. */
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

  /** Gives `key` a turn after `delayMs`, or sooner if one is due sooner; for news, if either is. */
  addAfter(key: K, delayMs: number, urgency: Urgency = this.#urgencyOfTurn(key)): void {
    this.#addAt(key, { dueMs: this.#options.clock.monotonicMs() + delayMs, urgency });
  }

  /** Gives `key` a turn in the background after about `delayMs`, a tenth more or less, or sooner if one is due sooner. */
  resyncAfter(key: K, delayMs: number): void {
    const { clock, random = Math.random } = this.#options;
    const dueMs = clock.monotonicMs() + delayMs * (1 + resyncJitter * (2 * random() - 1));
    const grainMs = delayMs * resyncGrain;
    this.#addAt(key, { dueMs: Math.round(dueMs / grainMs) * grainMs, urgency: 'background' });
  }

  /**
   * Gives `key`, whose turn failed, another one of the same urgency, after a wait that grows with every failure in a row.
   *
   * @returns the wait in milliseconds.
   */
  retry(key: K): number {
    const { backoff, random = Math.random, observer } = this.#options;
    observer?.retried();
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const delayMs = backoffMs(backoff, failures, random());
    this.addAfter(key, delayMs);
    return delayMs;
  }

  /** The failures of `key` no longer count. */
  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** The next key, which then must be handed back with `done`; undefined once the queue is closed. */
  next(): Promise<K | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    if (this.depth > 0) return Promise.resolve(this.#take());
    const { promise, resolve } = Promise.withResolvers<K | undefined>();
    this.#takers.push(resolve);
    return promise;
  }

  /** Hands `key` back, worked on. */
  done(key: K): void {
    const [turn, dirty] = [this.#processing.get(key), this.#dirty.get(key)];
    this.#processing.delete(key);
    if (turn !== undefined) this.#options.observer?.done(this.#secondsSince(turn.sinceMs));
    if (dirty === undefined) return;
    this.#dirty.delete(key);
    this.#addWaiting(key, dirty);
    this.#serve();
  }

  /** Ends it: nobody gets another key, and no timer is left. */
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

  /** Takes the delayed turn of `key` away. Returns what it was, where there was one. */
  #undelayed(key: K): Delayed | undefined {
    const delayed = this.#delayed.get(key);
    if (delayed === undefined) return undefined;
    this.#delayed.delete(key);
    this.#timers.cancel(key, delayed.dueMs);
    return delayed;
  }

  /** Returns whether `key` did not wait before. */
  #addWaiting(key: K, { sinceMs, urgency }: Since): boolean {
    const { news, background } = this.#waiting;
    if (news.has(key)) return false;
    const inBackgroundMs = background.get(key);
    if (urgency === 'background' && inBackgroundMs !== undefined) return false;
    background.delete(key);
    this.#waiting[urgency].set(key, inBackgroundMs ?? sinceMs);
    return inBackgroundMs === undefined;
  }

  /** Returns whether `key` was not to wait again before. */
  #addDirty(key: K, { sinceMs, urgency }: Since): boolean {
    const before = this.#dirty.get(key);
    this.#dirty.set(key, {
      sinceMs: before?.sinceMs ?? sinceMs,
      urgency: moreUrgent(urgency, before?.urgency),
    });
    return before === undefined;
  }

  /** What the turn of `key` that is under way is for. */
  #urgencyOfTurn(key: K): Urgency {
    return this.#processing.get(key)?.urgency ?? 'news';
  }

  /** Gives a worker that waits the first key that does. */
  #serve(): void {
    if (this.#takers.length > 0 && this.depth > 0) this.#takers.shift()?.(this.#take());
  }

  #secondsSince(ms: number): number {
    return (this.#options.clock.monotonicMs() - ms) / 1000;
  }

  /** Whose turn it is, where anybody waits. */
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
