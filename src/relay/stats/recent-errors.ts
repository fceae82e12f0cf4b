import type { Clock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/errors.ts';
import { remedy, type ConfigLanguage } from './remedy.ts';
import type { Side } from './side.ts';

/** How many kinds of errors are kept. */
const maxErrors = 32;
/** Characters of a message that are kept. */
const maxMessageLength = 400;

/** A kind of failure, as it is kept: each further one is counted. */
export type KeptError = {
  /** When it occurred last, ISO 8601. */
  readonly time: string;
  /** How often it has occurred since it was first kept. */
  readonly count: number;
  /** Name of the endpoint; '' if it concerns the whole relay. */
  readonly endpoint: string;
  readonly side: Side;
  /** For machines, e.g. `ECONNREFUSED` or `AddressInUse`; '' if the failure has no code. */
  readonly reason: string;
  readonly message: string;
};

/** A kind of failure, as `/status` reports it. */
export type RecentError = KeptError & {
  /** What to do; '' if the message states it. */
  readonly remedy: string;
};

/** One failure. */
export type Failure = {
  /** Name of the endpoint; '' if it concerns the whole relay. */
  readonly endpoint: string;
  readonly side: Side;
  /** The remote, as configured, if it concerns one. */
  readonly upstream?: string;
  /** For machines; by default the error's code. */
  readonly reason?: string;
  readonly error: { readonly message: string };
};

/** What is kept of the failures of one kind. */
type Entry = {
  readonly timeMs: number;
  readonly count: number;
  readonly endpoint: string;
  readonly side: Side;
  readonly reason: string;
  readonly message: string;
};

/** The latest errors, each kind once: a remote that fails a thousand times a second does not displace the others. */
export class RecentErrors {
  readonly #clock: Clock;
  /** By kind, the latest last. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Keeps only short texts of `failure`. */
  add({ endpoint, side, upstream = '', error, reason = errorCode(error) }: Failure): void {
    const kind = JSON.stringify([endpoint, side, upstream, reason === '' ? error.message : reason]);
    const count = (this.#entries.get(kind)?.count ?? 0) + 1;
    this.#entries.delete(kind);
    const message = messageOf(error, upstream);
    this.#entries.set(kind, { timeMs: this.#clock.now().getTime(), count, endpoint, side, reason, message });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxErrors && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** The latest first. */
  get list(): readonly KeptError[] {
    return [...this.#entries.values()].toReversed().map(({ timeMs, ...entry }) => ({
      time: new Date(timeMs).toISOString(),
      ...entry,
    }));
  }
}

/** The error's message, with the remote it concerns. */
function messageOf({ message }: Failure['error'], upstream: string): string {
  const text = message.includes(upstream) ? message : `${upstream}: ${message}`;
  return text.length > maxMessageLength ? `${text.slice(0, maxMessageLength)}…` : text;
}

/** `errors` with remedies. @param language  whose fields the remedies name. */
export function errorsWithRemedies(
  errors: readonly KeptError[],
  language: ConfigLanguage,
): readonly RecentError[] {
  return errors.map((error) => ({ ...error, remedy: remedy(error.side, error.reason, language) }));
}
