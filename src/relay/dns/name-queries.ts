import { AnswerCache, type Answer } from './answer-cache.ts';
import type { Clock } from '../../lib/clock.ts';
import { queriedAddresses, type FamilyGroup } from './name-query.ts';
import { PacedStarts } from './paced-starts.ts';
import type { ServerGroup } from './server-group.ts';

/** What names are resolved by queries with. */
export type NameQueriesOptions = {
  readonly clock: Clock;
  readonly servers: () => ServerGroup | Promise<ServerGroup>;
  /** The absolute names to query for a host in turn. */
  readonly names: (host: string) => readonly string[];
  readonly groups: readonly FamilyGroup[];
  readonly limits: CacheLimits;
  /** Orders the addresses of an answer. */
  readonly order?: (addresses: readonly string[]) => Promise<readonly string[]>;
  /** See `AnswerCacheOptions`. */
  readonly onStale: (name: string, error: Error) => void;
};

/** What of answers is cached, and for how long. */
export type CacheLimits = {
  readonly cacheSize: number;
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
};

/** Resolves names by queries to name servers, whose answers it caches. */
export class NameQueries {
  readonly #options: NameQueriesOptions;
  readonly #cache: AnswerCache;

  constructor(options: NameQueriesOptions) {
    this.#options = options;
    const { clock, limits, onStale } = options;
    const starts = new PacedStarts(clock);
    this.#cache = new AnswerCache({
      size: limits.cacheSize,
      clock,
      onStale,
      query: (host, signal) => starts.run(() => this.#query(host, signal), signal),
    });
  }

  /** See `AnswerCache.addresses`. */
  addresses(host: string, signal?: AbortSignal): Promise<readonly string[]> {
    return this.#cache.addresses(host, signal);
  }

  async #query(host: string, signal: AbortSignal): Promise<Answer> {
    const { servers, limits, order } = this.#options;
    const rules = { ...this.#options, servers: await servers() };
    const { addresses, ttlMs } = await queriedAddresses(host, rules, signal);
    return {
      addresses: order === undefined ? addresses : await order(addresses),
      ttlMs: Math.min(limits.maxTtlMs, Math.max(limits.minTtlMs, ttlMs)),
    };
  }
}
