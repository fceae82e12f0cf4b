/**
 * The transport room: TLS and WebSocket, towards clients and towards remotes.
 *
 * The *transport* of a side is TCP, TLS over TCP, or WebSocket over either. A connection consists of *layers*, one on
 * the other; the handshakes of all layers come before the first byte is relayed. Certificates come from *watched
 * files*, which are read again whenever they change. The code of this room is loaded only if an endpoint has a
 * transport, since it is large.
 *
 * Guarantee: a remote is dialled only after the handshake with the client. New certificates apply to new connections
 * and never disturb an open one; files that are not valid leave the previous certificates in use.
 */
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Connection, ConnectionContext } from '../connection/connection.ts';
import type { Accepted, Target, TcpStack } from '../net/channel.ts';
import type { ConnectionAttempt } from '../upstream/happy-eyeballs.ts';

/** What transports work with. */
export type TransportContext = { readonly clock: Clock; readonly log: Pick<Logger, 'info' | 'error'> };

/** The state of an endpoint's certificate files. */
export type TransportState = {
  /** Why the newest files are not used; '' if they are. */
  readonly problem: string;
  /** Whether clients can be served: every file was valid at some time. */
  readonly isUsable: boolean;
  /** Whether the relay is ready without it, since all that it lacks are files that are `optional`. */
  readonly isOptional: boolean;
};

/** The transports of one endpoint. */
export type EndpointTransport = TransportState & {
  /** Makes the connection of a client that was just accepted at `port`; `config` applies to the whole connection. */
  readonly serve: (
    accepted: Accepted,
    port: number,
    config: EndpointConfig,
    context: ConnectionContext,
  ) => Connection;
  /** Connects to a remote as for a client, handshake included, for a check; `config` is the endpoint's. */
  readonly connect: (
    target: Target,
    onConnected: (error: Error | undefined) => void,
    config: EndpointConfig,
    tcp: Pick<TcpStack, 'connect'>,
  ) => ConnectionAttempt;
  /** Watches the files from now on. */
  readonly watch: () => void;
  /** Stops watching them. */
  readonly stop: () => void;
};
