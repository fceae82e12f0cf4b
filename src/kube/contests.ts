import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

/** After so many undone writes in a row, the next write waits, and the object counts as contested. */
const freeRepairs = 2;
const backoff: Backoff = { initialMs: 1_000, maxMs: 300_000 };
/** What others leave alone for so long is no longer part of a fight. */
const calmMs = 300_000;
/** For so long after the last write, an object that was contested must stay as it is before it counts as settled. */
const [minHoldMs, maxHoldMs] = [30_000, 60_000];
/** How many objects are remembered. */
const maxEntries = 32_768;

/** That others undo what is written to an object, again and again. */
export type Contest = {
  /** How long the next write waits, in milliseconds; 0 if the object is as wanted, or may be written now. */
  readonly waitMs: number;
  /** When to look again, in milliseconds: when the wait ends, or the object has stayed as wanted for long enough. */
  readonly againMs: number;
  /** Whether it has just been undone. */
  readonly isNews: boolean;
};

type Entry = {
  /** Of what was last written. */
  readonly hash: string;
  readonly writtenMs: number;
  /** How often in a row it was undone. */
  readonly undone: number;
  /** Whether it is undone now. */
  readonly isUndone: boolean;
};

/**
 * Notices objects whose writes others undo, and makes further writes of the same content wait: the first two repairs come at
 * once, the following after 1 s, 2 s, 4 s, up to five minutes after the last write. What others leave alone for five minutes
 * starts from the beginning, as does an object of which something else is wanted. At most 32,768 objects are remembered, those that were written last.
 */
export class Contests {
  readonly #clock: Clock;
  /** The one that was written least recently first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records that content with this hash was written to the object at `key`. */
  written(key: string, hash: string): void {
    const before = this.#entries.get(key);
    const undone = before?.hash === hash ? before.undone : 0;
    this.#entries.delete(key);
    this.#entries.set(key, { hash, undone, isUndone: false, writtenMs: this.#clock.monotonicMs() });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxEntries && oldest !== undefined) this.#entries.delete(oldest);
  }

  /**
   * Records that the object at `key` is not as wanted, by content with this hash.
   *
   * @returns the contest, if it is one; with `waitMs` above 0 it must not be written yet.
   */
  undone(key: string, hash: string): Contest | undefined {
    const entry = this.#entries.get(key);
    if (entry?.hash !== hash) return undefined;
    const quietMs = this.#clock.monotonicMs() - entry.writtenMs;
    const inARow = quietMs >= calmMs ? 0 : entry.undone;
    const undone = entry.isUndone ? entry.undone : inARow + 1;
    if (!entry.isUndone) this.#entries.set(key, { ...entry, undone, isUndone: true });
    if (undone <= freeRepairs) return undefined;
    const waitMs = Math.max(0, Math.ceil(waitAfter(undone) - quietMs));
    return { waitMs, againMs: waitMs === 0 ? holdMs(undone) : waitMs, isNews: !entry.isUndone };
  }

  /** Records that the object at `key` is as wanted. Returns the contest, if it was one until a moment ago. */
  asWanted(key: string): Contest | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.undone <= freeRepairs) return undefined;
    if (entry.isUndone) this.#entries.set(key, { ...entry, isUndone: false });
    const leftMs = Math.ceil(entry.writtenMs + holdMs(entry.undone) - this.#clock.monotonicMs());
    return leftMs > 0 ? { waitMs: 0, againMs: leftMs, isNews: false } : undefined;
  }

  /** Drops what is known of the object at `key`. */
  forget(key: string): void {
    this.#entries.delete(key);
  }
}

function waitAfter(undone: number): number {
  return backoffMs(backoff, undone - freeRepairs, 1);
}

function holdMs(undone: number): number {
  return Math.min(maxHoldMs, Math.max(minHoldMs, waitAfter(undone + 1)));
}
