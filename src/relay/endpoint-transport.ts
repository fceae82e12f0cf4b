import type { Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { IdleLimits } from './idle-sweep.ts';
import type { ConnectionContext, Side } from './tcp-connection.ts';

/** What transports work with. */
export type TransportSurroundings = { readonly clock: Clock; readonly log: Logger };

/** One client's connection, as its endpoint sees it, plain or not. */
export type Connection = {
  readonly fromClient: { readonly bytes: number };
  readonly fromUpstream: { readonly bytes: number };
  readonly cut: () => void;
  readonly endIfIdle: (nowMs: number, limits: IdleLimits) => void;
};

/** What a connection with transports needs of its endpoint. */
export type TransportServe = Omit<ConnectionContext, 'onSettled'> & {
  readonly onSettled: (connection: Connection, failure: Side | undefined) => void;
};

/** The transports of one endpoint. */
export type EndpointTransport = {
  /** Why the newest of its files are not used; '' where they are. */
  readonly problem: string;
  /** Whether it can serve: every file was valid at some time. */
  readonly isUsable: boolean;
  /** Serves a client that was just accepted. */
  readonly serve: (accepted: Socket, context: TransportServe) => Connection;
  /** Follows its files from now on. */
  readonly follow: () => void;
  readonly stop: () => void;
};
