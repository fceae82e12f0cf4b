import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Accepted } from '../net/channel.ts';
import type { Connection, ConnectionContext } from '../connection/connection.ts';

/** What transports work with. */
export type TransportContext = { readonly clock: Clock; readonly log: Logger };

/** The transports of one endpoint. */
export type EndpointTransport = {
  /** Why the newest of its files are not used; '' where they are. */
  readonly problem: string;
  /** Whether it can serve: every file was valid at some time. */
  readonly isUsable: boolean;
  /** Makes the connection of a client that was just accepted at `port`; `config` holds for the whole of it. */
  readonly serve: (
    accepted: Accepted,
    port: number,
    config: EndpointConfig,
    context: ConnectionContext,
  ) => Connection;
  /** Follows its files from now on. */
  readonly watch: () => void;
  readonly stop: () => void;
};
