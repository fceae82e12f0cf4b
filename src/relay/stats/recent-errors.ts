import type { Clock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/errors.ts';
import { remedy } from './remedy.ts';
import type { Side } from './side.ts';

/** How many different errors are remembered. */
const maxErrors = 32;
/** Characters of a message that are kept. */
const maxMessageLength = 400;

/** Something that went wrong lately, as `/status` tells it: the same again is counted, not told again. */
export type RecentError = {
  /** When it happened last, ISO 8601. */
  readonly time: string;
  /** How often it happened since it was first remembered. */
  readonly count: number;
  /** Name of the endpoint; '' where it concerns the whole relay. */
  readonly endpoint: string;
  readonly side: Side;
  /** For machines, e.g. `ECONNREFUSED` or `AddressInUse`; '' where there is no word for it. */
  readonly reason: string;
  readonly message: string;
  /** What to do; '' where the message says it. */
  readonly remedy: string;
};

/** What went wrong, and where. */
export type Failure = {
  /** Name of the endpoint; '' where it concerns the whole relay. */
  readonly endpoint: string;
  readonly side: Side;
  /** The remote, as configured, where it is about one. */
  readonly upstream?: string;
  /** For machines; the error's code unless told. */
  readonly reason?: string;
  readonly error: Pick<Error, 'message'>;
};

type Entry = Omit<RecentError, 'time' | 'remedy'> & { readonly timeMs: number };

/** The latest errors, each kind once: a remote that fails a thousand times a second does not push the others out. */
export class RecentErrors {
  readonly #clock: Clock;
  /** By kind, the latest last. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Nothing of `failure` is kept but short texts. */
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
  get list(): readonly RecentError[] {
    return [...this.#entries.values()].toReversed().map(({ timeMs, ...entry }) => ({
      time: new Date(timeMs).toISOString(),
      ...entry,
      remedy: remedy(entry.side, entry.reason),
    }));
  }
}

/** What `error` says, and of which remote. */
function messageOf({ message }: Failure['error'], upstream: string): string {
  const text = message.includes(upstream) ? message : `${upstream}: ${message}`;
  return text.length > maxMessageLength ? `${text.slice(0, maxMessageLength)}…` : text;
}

/** The errors of several processes as one list, the latest first: what is alike is counted together. */
export function mergedErrors(errors: readonly RecentError[]): readonly RecentError[] {
  const kinds = Map.groupBy(errors, ({ endpoint, side, reason, message }) =>
    JSON.stringify([endpoint, side, reason, message]),
  );
  const merged = [...kinds.values()].flatMap((alike) => {
    const [latest] = alike.toSorted(byTime);
    return latest === undefined ? [] : { ...latest, count: alike.reduce((sum, { count }) => sum + count, 0) };
  });
  return merged.toSorted(byTime).slice(0, maxErrors);
}

function byTime(a: RecentError, b: RecentError): number {
  return b.time.localeCompare(a.time);
}
