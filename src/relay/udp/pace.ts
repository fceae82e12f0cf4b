import { backoffMs, type Backoff } from '../../lib/backoff.ts';

/**
 * An address that has not answered for this long is silent once the client sends again: less than the shortest usual
 * interval of retries, 500 ms of SIP (RFC 3261, section 17.1.1.1). Also the least time between two searches that errors
 * cause.
 */
const silentMs = 400;
/** The wait between two lookups of the name of a remote that is silent. */
const lookupBackoff: Backoff = { initialMs: silentMs, maxMs: 30_000 };
/** The wait after a search in which no remote answered: a protocol without answers stays where it is. */
const searchBackoff: Backoff = { initialMs: 60_000, maxMs: 3_600_000 };

/** The bounds of an association: how long it lets a remote be silent, and how often it searches and looks names up. */
export class Pace {
  readonly #timeoutMs: number;
  #patienceMs = silentMs;
  #fruitless = 0;
  #searchNotBeforeMs = 0;
  #lookups = 0;
  #lookupNotBeforeMs = 0;

  /** @param timeoutMs  how long a remote that has answered may be silent before others are tried; 0 = for ever. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs === 0 ? Infinity : timeoutMs;
  }

  /** Whether a search or a lookup has happened since the last answer. */
  get hasSlowed(): boolean {
    return this.#fruitless + this.#lookups > 0;
  }

  /** Whether silence of `ms` is a reason to try another remote. @param isSearching  whether a search runs. */
  isTooSilent(ms: number, isSearching: boolean): boolean {
    return ms >= (isSearching ? silentMs : this.#patienceMs);
  }

  /** Whether an error, or a failed check, may begin a search. */
  maySearch(nowMs: number): boolean {
    return nowMs >= this.#searchNotBeforeMs;
  }

  /** Nothing could be tried: the next search has to wait. */
  hold(nowMs: number): void {
    this.#searchNotBeforeMs = nowMs + silentMs;
  }

  /** A search has ended without an answer. */
  slowDown(nowMs: number): void {
    this.#fruitless += 1;
    this.#patienceMs = backoffMs(searchBackoff, this.#fruitless, 1);
    this.hold(nowMs);
  }

  /** A remote has answered. */
  restart(): void {
    this.#fruitless = this.#lookups = 0;
    this.#searchNotBeforeMs = this.#lookupNotBeforeMs = 0;
    this.#patienceMs = this.#timeoutMs;
  }

  /**
   * When a silent remote is a reason to act once the client sends again: after silence of `silentMs`, but not before
   * `notBeforeMs`.
   *
   * @param isName  whether a name leads to the remote, which is looked up then.
   */
  limits(isName: boolean): { readonly silentMs: number; readonly notBeforeMs: number } {
    return isName
      ? { silentMs, notBeforeMs: this.#lookupNotBeforeMs }
      : { silentMs: this.#patienceMs, notBeforeMs: 0 };
  }

  /** Whether to look the name of a remote up again that has been silent for `ms`; counts a lookup if so. */
  takeLookup(ms: number, nowMs: number): boolean {
    if (ms < silentMs || nowMs < this.#lookupNotBeforeMs) return false;
    this.#lookups += 1;
    this.#lookupNotBeforeMs = nowMs + backoffMs(lookupBackoff, this.#lookups, 1);
    return true;
  }
}
