import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { RealmError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { SourceError } from '../limits/source-filter.ts';
import type { Address, TcpStack } from '../net/channel.ts';
import { clientText } from '../../lib/client-address.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Lookup } from '../dns/lookup.ts';
import { DialError } from '../upstream/dial.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { Remote } from '../upstream/remote.ts';
import type { Side } from '../stats/side.ts';
import type { Warn } from '../stats/log-limiter.ts';

/** One client's connection, as its endpoint sees it. */
export type Connection = {
  readonly fromClient: { readonly bytes: number };
  readonly fromUpstream: { readonly bytes: number };
  /** Serves the client; it may be settled when this returns. */
  readonly start: () => void;
  /** Resets both sides at once: the relay's own decision. */
  readonly cut: () => void;
  /** Ends it where no byte has come for longer than its limit, while reading is paused, too. */
  readonly endIfIdle: (nowMs: number, limits: IdleLimits) => void;
};

/** What connections need of their endpoint. */
export type ConnectionContext = {
  /** The remotes of a listening port, in the order in which to try them for a client. */
  readonly order: (port: number, clientIp: string) => readonly Remote[];
  /** Whether the client that a PROXY header tells of may be served: counted where not. */
  readonly allowsSource: (address: string) => boolean;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly budget: DescriptorBudget;
  readonly tcp: TcpStack;
  readonly log: Logger;
  readonly errors: RecentErrors;
  /** Limited: everything may fail by the thousand. */
  readonly warn: Warn;
  /** Told once, when both sides are closed. */
  readonly onSettled: (connection: Connection, failure: Side | undefined) => void;
};

/** Why a connection did not end by itself, and whose fault it was. */
export type ConnectionFailure = { readonly error: Error; readonly side: Side };

/** Neither side sent a byte for too long. */
class IdleError extends RealmError {
  readonly code = 'REALM_CONNECTION_IDLE';

  constructor(quietMs: number, isHalfClosed: boolean) {
    const seconds = String(Math.round(quietMs / 1000));
    super(
      isHalfClosed ? `no byte for ${seconds} s after one side ended` : `no byte either way for ${seconds} s`,
    );
  }
}

/** One direction of a connection, as far as it can be idle. */
type Direction = { readonly bytes: number; readonly hasEnded: boolean };

/** Grows with each byte, and when a side ends: silence is counted from there. */
export function progress(...directions: readonly Direction[]): number {
  return directions.reduce((sum, { bytes, hasEnded }) => sum + bytes + Number(hasEnded), 0);
}

/** Why a connection that has been quiet for `quietMs` is to end, by the shorter of its limits; undefined where it is not. */
export function idleError(
  quietMs: number,
  isHalfClosed: boolean,
  { idleMs, halfClosedMs }: IdleLimits,
): Error | undefined {
  const limitsMs = [idleMs, isHalfClosed ? halfClosedMs : 0].filter((ms) => ms > 0);
  return quietMs >= Math.min(...limitsMs) ? new IdleError(quietMs, isHalfClosed) : undefined;
}

/** What is told of a connection at its end. */
export type ConnectionEnd = {
  /** Who the client is: told by its PROXY header, if any. */
  readonly client: Address;
  /** The remote, as configured; '' where none was dialled. */
  readonly upstream: string;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
  readonly startedMs: number;
  readonly failure: ConnectionFailure | undefined;
};

/** Writes the one line of a connection. */
export function logEnd({ name }: EndpointConfig, context: ConnectionContext, end: ConnectionEnd): void {
  const { log, warn, clock } = context;
  const { client, startedMs, failure, ...counts } = end;
  if (failure === undefined && !log.isLevelEnabled('info')) return;
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  const fields = { ...namesOf(name, client), ...counts, durationMs };
  if (failure === undefined) {
    log.info(fields, 'connection closed');
    return;
  }
  const { side, error } = failure;
  warn({ ...fields, side, err: error }, 'connection failed');
  // Each remote remembers its failed dials by itself, and the admission who was turned away.
  if (error instanceof DialError || error instanceof SourceError) return;
  context.errors.add({ endpoint: name, side, error, ...(side === 'upstream' && { upstream: end.upstream }) });
}

/** What every line about a connection begins with. */
export function namesOf(endpoint: string, { address, port }: Address): { endpoint: string; client: string } {
  return { endpoint, client: clientText(address, port) };
}
