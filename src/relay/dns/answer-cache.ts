import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import { NameError } from './name-error.ts';

/** The addresses of a name, and for how many milliseconds they are valid. */
export type Answer = { readonly addresses: readonly string[]; readonly ttlMs: number };

/** Looks a name up, until `signal` ends it. @throws NameError */
export type NameQuery = (name: string, signal: AbortSignal) => Promise<Answer>;

/** Limits of a cache, and its clock. */
export type AnswerCacheOptions = {
  /** Names whose answers are kept; 0 = none. */
  readonly size: number;
  readonly clock: Clock;
  readonly query: NameQuery;
  /** Called when the servers fail and addresses are used beyond their time to live, once until they answer again. */
  readonly onStale: (name: string, error: Error) => void;
};

/**
 * How long clients wait for a new answer if an old one is known. RFC 8767, section 5 suggests 1.8 s for resolvers, whose
 * clients give up after 2 s; ours still have to connect.
 */
const responseMs = 500;

/** For how long an answer is used beyond its time to live while servers fail. RFC 8767, section 5: "maximum stale timer". */
const maxStaleMs = 3_600_000;

/**
 * How often servers that fail are asked for a name of which an old answer is used. RFC 8767, section 5 suggests 30 s for
 * resolvers; names are fewer here, and the address may have moved.
 */
const recheckMs = 5000;

/** Names that are looked up at once, far more than a configuration has. */
const maxPending = 4096;

/** Clients that wait for one name. */
const maxWaiting = 65_536;

/** What is known of a name. Without addresses `error` is why it has none. */
type Known = {
  readonly addresses: readonly string[] | undefined;
  readonly error: Error | undefined;
  /** Until then it is used without a query. */
  readonly expiresAtMs: number;
  /** Until then it is used if the servers fail. */
  readonly staleUntilMs: number;
};

/**
 * Answers for names: equal questions are asked once, however many clients wait, and not at all while an answer is valid.
 * A question that nobody waits for any more ends. An answer that has expired is used while servers are silent or fail,
 * for at most an hour; the word of a server that a name does not exist is honoured.
 *
 * Source: RFC 8767 (serving stale data), RFC 2308 and RFC 9520 (caching of failures).
 */
export class AnswerCache {
  readonly #options: AnswerCacheOptions;
  /** The `size` most recently used names, least recently used first. */
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, PendingQuery>();

  constructor(options: AnswerCacheOptions) {
    this.#options = options;
  }

  /**
   * The addresses of `name`, at least one.
   *
   * @param signal  nobody waits any more; rejects with its reason.
   * @throws NameError
   */
  async addresses(name: string, signal?: AbortSignal): Promise<readonly string[]> {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#known.get(name);
    if (known !== undefined && known.expiresAtMs > nowMs) {
      this.#touch(name, known);
      return outcome(known);
    }
    const query = this.#pending.get(name) ?? this.#ask(name);
    const stale = known?.addresses !== undefined && known.staleUntilMs > nowMs ? known : undefined;
    if (stale?.addresses === undefined) return query.wait(signal);
    query.keep(); // however long it takes, because the old answer serves until then
    return stale.error === undefined ? this.#newer(query, stale.addresses, signal) : stale.addresses;
  }

  /** The new answer; the old `addresses` if that takes too long or the servers fail. */
  async #newer(
    query: PendingQuery,
    addresses: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const { clock } = this.#options;
    const ranMs = clock.monotonicMs() - query.startedMs;
    const stopTimer = clock.after(Math.max(0, responseMs - ranMs), () => {
      resolve(addresses);
    });
    query.wait(signal).then(resolve, (error: unknown) => {
      if (isAbsence(error)) reject(asError(error));
      else resolve(addresses);
    });
    try {
      return await promise;
    } finally {
      stopTimer();
    }
  }

  #ask(name: string): PendingQuery {
    if (this.#pending.size >= maxPending) {
      throw new NameError('EAI_AGAIN', `${String(maxPending)} other names are being looked up`, 0);
    }
    const query: PendingQuery = new PendingQuery({
      startedMs: this.#options.clock.monotonicMs(),
      run: (signal) => this.#refresh(name, signal),
      onSettled: () => {
        if (this.#pending.get(name) === query) this.#pending.delete(name);
      },
    });
    this.#pending.set(name, query);
    return query;
  }

  async #refresh(name: string, signal: AbortSignal): Promise<readonly string[]> {
    const { clock, query } = this.#options;
    try {
      const { addresses, ttlMs } = await query(name, signal);
      const expiresAtMs = clock.monotonicMs() + ttlMs;
      this.#store(name, { addresses, error: undefined, expiresAtMs, staleUntilMs: expiresAtMs + maxStaleMs });
      return addresses;
    } catch (error) {
      if (!signal.aborted) this.#storeFailure(name, asError(error));
      throw error;
    }
  }

  #storeFailure(name: string, error: Error): void {
    const { clock, onStale } = this.#options;
    const nowMs = clock.monotonicMs();
    const known = this.#known.get(name);
    if (!isAbsence(error) && known?.addresses !== undefined && known.staleUntilMs > nowMs) {
      if (known.error === undefined) onStale(name, error);
      this.#store(name, { ...known, error, expiresAtMs: Math.min(nowMs + recheckMs, known.staleUntilMs) });
      return;
    }
    const ttlMs = error instanceof NameError ? error.ttlMs : 0;
    this.#store(name, { addresses: undefined, error, expiresAtMs: nowMs + ttlMs, staleUntilMs: 0 });
  }

  #store(name: string, known: Known): void {
    this.#touch(name, known);
    if (this.#known.size <= this.#options.size) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      return;
    }
  }

  #touch(name: string, known: Known): void {
    this.#known.delete(name);
    this.#known.set(name, known);
  }
}

function outcome({ addresses, error }: Known): readonly string[] {
  if (addresses !== undefined) return addresses;
  throw error ?? new Error('nothing is known of the name');
}

/** Whether a server states that the name has no address; otherwise servers are silent or fail. */
function isAbsence(error: unknown): boolean {
  return error instanceof NameError && error.code !== 'EAI_AGAIN';
}

type PendingQueryOptions = {
  readonly startedMs: number;
  readonly run: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Called when it has ended, for each reason once. */
  readonly onSettled: () => void;
};

/** A query that clients wait for. It ends when the last of them has left, unless it is kept. */
class PendingQuery {
  readonly startedMs: number;
  readonly #answer: Promise<readonly string[]>;
  readonly #ended = new AbortController();
  readonly #onSettled: () => void;
  #waiting = 0;
  #isKept = false;

  constructor({ startedMs, run, onSettled }: PendingQueryOptions) {
    this.startedMs = startedMs;
    this.#onSettled = onSettled;
    this.#answer = run(this.#ended.signal).finally(onSettled);
    this.#answer.catch(() => undefined); // a kept query may have no client that waits
  }

  /** Goes on without clients. */
  keep(): void {
    this.#isKept = true;
  }

  /** @throws the error of the query, or the reason of `signal`. */
  async wait(signal?: AbortSignal): Promise<readonly string[]> {
    if (this.#waiting >= maxWaiting) {
      throw new NameError('EAI_AGAIN', `${String(maxWaiting)} clients wait for the name`, 0);
    }
    this.#waiting += 1;
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
    const leave = (): void => {
      reject(asError(signal?.reason));
    };
    signal?.addEventListener('abort', leave, { once: true });
    if (signal?.aborted === true) leave();
    this.#answer.then(resolve, reject);
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
      this.#waiting -= 1;
      if (this.#waiting === 0 && !this.#isKept) this.#end();
    }
  }

  /** Ends a query that is still running: the next client starts another. */
  #end(): void {
    this.#onSettled();
    this.#ended.abort();
  }
}
