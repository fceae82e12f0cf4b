import type { Clock } from '../../lib/clock.ts';

/** Addresses of a name, and how long they may be used. */
export type Answer = { readonly addresses: readonly string[]; readonly ttlMs: number };

type Kept = { readonly addresses: readonly string[]; readonly untilMs: number };

/**
 * Keeps the answers for names, the `size` that were used last, and asks once where many want the same name
 * at a time. Failures are not kept.
 */
export class AnswerCache {
  readonly #size: number;
  readonly #clock: Clock;
  readonly #query: (name: string) => Promise<Answer>;
  /** In the order of their last use. */
  readonly #kept = new Map<string, Kept>();
  readonly #pending = new Map<string, Promise<readonly string[]>>();

  constructor(size: number, clock: Clock, ask: (name: string) => Promise<Answer>) {
    this.#size = size;
    this.#clock = clock;
    this.#query = ask;
  }

  /** @throws what asking throws. */
  addresses(name: string): Promise<readonly string[]> {
    const kept = this.#kept.get(name);
    if (kept !== undefined && kept.untilMs > this.#clock.monotonicMs()) {
      this.#keep(name, kept);
      return Promise.resolve(kept.addresses);
    }
    const asking = this.#pending.get(name) ?? this.#refresh(name);
    this.#pending.set(name, asking);
    return asking;
  }

  async #refresh(name: string): Promise<readonly string[]> {
    try {
      const { addresses, ttlMs } = await this.#query(name);
      if (ttlMs > 0) this.#keep(name, { addresses, untilMs: this.#clock.monotonicMs() + ttlMs });
      return addresses;
    } finally {
      this.#pending.delete(name);
    }
  }

  #keep(name: string, kept: Kept): void {
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    if (this.#kept.size <= this.#size) return;
    for (const oldest of this.#kept.keys()) {
      this.#kept.delete(oldest);
      return;
    }
  }
}
