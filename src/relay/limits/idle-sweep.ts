import type { Clock } from '../../lib/clock.ts';

/** After how long without a byte either way a connection ends; 0 = never. */
export type IdleLimits = {
  readonly idleMs: number;
  /** While one side has ended and the other has not; `idleMs` holds, too. */
  readonly halfClosedMs: number;
};

/** Something that can be idle. */
export type Idling = {
  /** Ends it where it has been idle for too long, seen at `nowMs`. */
  readonly endIfIdle: (nowMs: number, limits: IdleLimits) => void;
};

/** Looks per limit: something ends at most a tenth of it late, and never early. */
const sweepsPerLimit = 10;

/** Ends what is idle, by one timer for all that looks now and then: nothing is done per packet. */
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

  /** From now on these limits hold, for what is open, too. */
  limit(limits: IdleLimits): void {
    this.#limits = limits;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    this.watch();
  }

  /** To be called when there is something new. */
  watch(): void {
    const shortestMs = Math.min(
      ...[this.#limits.idleMs, this.#limits.halfClosedMs].map((ms) => ms || Infinity),
    );
    if (this.#stopTimer !== undefined || shortestMs === Infinity) return;
    this.#stopTimer = this.#clock.after(Math.ceil(shortestMs / sweepsPerLimit), () => {
      this.#sweep();
    });
  }

  #sweep(): void {
    this.#stopTimer = undefined;
    const nowMs = this.#clock.monotonicMs();
    let count = 0;
    for (const each of this.#all) {
      each.endIfIdle(nowMs, this.#limits);
      count += 1;
    }
    if (count > 0) this.watch();
  }
}
