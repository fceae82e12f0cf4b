import type { Clock } from '../../lib/clock.ts';

/** After how long without a byte in either direction a connection ends; 0 = never. */
export type IdleLimits = {
  readonly idleMs: number;
  /** The same while one side has ended and the other has not; `idleMs` applies, too. */
  readonly halfClosedMs: number;
};

/** Something that can be idle, or whose peers can be gone. */
export type Idling = {
  /** Ends it if a peer is gone, or if it has been idle for too long at `nowMs`. */
  readonly endIfOver: (nowMs: number, limits: IdleLimits) => void;
};

/** Sweeps per limit: something ends late by a tenth of the limit at most, and never early. */
const sweepsPerLimit = 10;

/** The longest time between two sweeps, after which a peer that is gone is noticed at the latest. */
const maxSweepMs = 10_000;

/** Ends what is over. One timer sweeps over all of it, so nothing is done per packet. */
export class IdleSweep {
  readonly #clock: Clock;
  readonly #all: Iterable<Idling>;
  #limits: IdleLimits;
  #stopTimer: (() => void) | undefined;

  constructor(clock: Clock, all: Iterable<Idling>, limits: IdleLimits) {
    this.#clock = clock;
    this.#all = all;
    this.#limits = limits;
  }

  /** Applies `limits` from now on, also to what is open. */
  limit(limits: IdleLimits): void {
    const { idleMs, halfClosedMs } = this.#limits;
    if (limits.idleMs === idleMs && limits.halfClosedMs === halfClosedMs) return;
    this.#limits = limits;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.watch();
  }

  /** To be called when something was opened: starts the timer if it does not run. */
  watch(): void {
    if (this.#stopTimer !== undefined) return;
    const { idleMs, halfClosedMs } = this.#limits;
    const shortestMs = Math.min(idleMs || Infinity, halfClosedMs || Infinity);
    if (shortestMs === Infinity) return;
    this.#stopTimer = this.#clock.after(Math.min(maxSweepMs, Math.ceil(shortestMs / sweepsPerLimit)), () => {
      this.#sweep();
    });
  }

  #sweep(): void {
    this.#stopTimer = undefined;
    const nowMs = this.#clock.monotonicMs();
    let count = 0;
    for (const each of this.#all) {
      each.endIfOver(nowMs, this.#limits);
      count += 1;
    }
    if (count > 0) this.watch();
  }
}
