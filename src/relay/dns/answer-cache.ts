import type { Clock } from '../../lib/clock.ts';

/** The addresses of a name, and for how many milliseconds they are valid. */
export type Answer = { readonly addresses: readonly string[]; readonly ttlMs: number };

type CachedAnswer = { readonly addresses: readonly string[]; readonly expiresAtMs: number };

/**
 * Caches the answers for the `size` most recently used names until they expire. Simultaneous requests for one name
 * share one query. Failures are not cached.
 */
export class AnswerCache {
  readonly #size: number;
  readonly #clock: Clock;
  readonly #query: (name: string) => Promise<Answer>;
  /** Least recently used first. */
  readonly #answers = new Map<string, CachedAnswer>();
  readonly #pending = new Map<string, Promise<readonly string[]>>();

  constructor(size: number, clock: Clock, query: (name: string) => Promise<Answer>) {
    this.#size = size;
    this.#clock = clock;
    this.#query = query;
  }

  /** @throws the error of the query. */
  addresses(name: string): Promise<readonly string[]> {
    const cached = this.#answers.get(name);
    if (cached !== undefined && cached.expiresAtMs > this.#clock.monotonicMs()) {
      this.#store(name, cached);
      return Promise.resolve(cached.addresses);
    }
    const pending = this.#pending.get(name) ?? this.#refresh(name);
    this.#pending.set(name, pending);
    return pending;
  }

  async #refresh(name: string): Promise<readonly string[]> {
    try {
      const { addresses, ttlMs } = await this.#query(name);
      if (ttlMs > 0) this.#store(name, { addresses, expiresAtMs: this.#clock.monotonicMs() + ttlMs });
      return addresses;
    } finally {
      this.#pending.delete(name);
    }
  }

  #store(name: string, answer: CachedAnswer): void {
    this.#answers.delete(name);
    this.#answers.set(name, answer);
    if (this.#answers.size <= this.#size) return;
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest);
      return;
    }
  }
}
