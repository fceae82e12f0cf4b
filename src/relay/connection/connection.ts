/**
 * The connection room: one TCP client from accept to close.
 *
 * A *connection* has two sides, the *client* and the *upstream*: the remote that was dialled for this client. Each
 * direction is a *pipe*, which copies at the pace of the slower side. The *lifecycle* is what every connection has in
 * common, whether it is plain TCP (`tcp-connection.ts`) or carries TLS or WebSocket (the transport room).
 *
 * Guarantee: an end of one side closes only the direction that this side wrote; a reset is passed on as a reset, after
 * the bytes that were sent before it. Each connection writes one log line and is settled once.
 */
import type { Clock } from '../../lib/clock.ts';
import type { RealmError } from '../../lib/errors.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { IdleLimits } from '../limits/idle-sweep.ts';
import type { OwnSockets, RelayPath } from '../limits/own-sockets.ts';
import type { ConnectionMemory } from '../limits/taken-memory.ts';
import type { DescriptorAllowance, TcpStack } from '../net/channel.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { Side } from '../stats/side.ts';
import type { DialTarget } from '../upstream/dial.ts';
import type { KnownOrder, RemoteOrder } from '../upstream/remote-order.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';

/** One direction of a connection. */
export type Direction = {
  /** Bytes read so far. */
  readonly bytes: number;
  /** Whether the side that is read has ended. */
  readonly hasEnded: boolean;
};

/** One client's connection, as its endpoint sees it. */
export type Connection = {
  /** What the limit per client counts it as; set by its endpoint, undefined before its PROXY header was read. */
  countedAs: string | undefined;
  /** The listening ports that its client came through; set by its endpoint before `start`. */
  path: RelayPath;
  /** The remotes of the backend that was chosen for its client; set by its endpoint, undefined before its PROXY header was read. */
  pool: RemotePool | undefined;
  readonly fromClient: Direction;
  readonly fromUpstream: Direction;
  /** Brings the traffic of its remote up to date. */
  readonly countTraffic: () => void;
  /** Serves the client. The connection may already be settled when this returns. */
  readonly start: () => void;
  /** Resets both sides at once, because the relay decides so. */
  readonly cut: () => void;
  /**
   * Resets both sides if one is gone, which nothing else notices while it is not read, or if no byte came for longer than
   * the limit.
   */
  readonly endIfOver: (nowMs: number, limits: IdleLimits) => void;
};

/** Where connections log what is no failure: a `Logger`, or what passes it on to one. */
export type ConnectionLog = {
  readonly info: (fields: object, message: string) => void;
  readonly debug: (fields: object, message: string) => void;
  readonly isLevelEnabled: (level: 'debug' | 'info') => boolean;
};

/** A promise if another thread has to tell. */
export type Soon<T> = T | Promise<T>;

/** A remote of a connection, which counts what it carries. */
export type ConnectionRemote = DialTarget & {
  /** Counts bytes that went to the remote, and that came from it. */
  readonly transferred: (fromClientBytes: number, fromUpstreamBytes: number) => void;
};

/** What connections need of their endpoint. */
export type ConnectionContext = {
  /** The remotes for the client of `connection`, which came to a listening port, in the order in which to try them. */
  readonly order: (port: number, clientIp: string, connection: Connection) => RemoteOrder<ConnectionRemote>;
  /** Counts the client that a PROXY header names, which came to the listening port `port`. @returns why it may not be served; undefined if it may. */
  readonly admitSource: (
    connection: Connection,
    address: string,
    port: number,
  ) => Soon<RealmError | undefined>;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly budget: DescriptorAllowance;
  readonly memory: ConnectionMemory;
  readonly tcp: Pick<TcpStack, 'connect'>;
  /** Knows the connection's socket towards its remote. */
  readonly ownSockets: Pick<OwnSockets, 'opened' | 'closed'>;
  readonly log: ConnectionLog;
  readonly errors: Pick<RecentErrors, 'add'>;
  /** Rate-limited, since thousands of connections may fail at once. */
  readonly warn: Warn;
  /** Called once, when a remote is connected. @param waitedMs  since the dial began, failed tries included. */
  readonly onDialled: (waitedMs: number) => void;
  /** Called once, when both sides are closed; `probe` if the client sent nothing, as a load balancer's check. */
  readonly onSettled: (
    connection: Connection,
    failure: Side | 'probe' | undefined,
    durationMs: number,
  ) => void;
};

/** The context of the thread that decides where connections go. */
export type DecidingContext = Omit<ConnectionContext, 'order'> & {
  readonly order: (port: number, clientIp: string, connection: Connection) => KnownOrder<ConnectionRemote>;
};
