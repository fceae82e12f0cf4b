import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { RealmError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Incident } from '../stats/incident.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** The client that a PROXY header names has as many connections as it may have. */
export class ClientLimitError extends RealmError {
  readonly code = 'REALM_TOO_MANY_OF_CLIENT';

  constructor() {
    super('the client has reached max_connections_per_client: raise it to serve more of its connections');
  }
}

/** What a limit per client needs of its endpoint. */
export type ClientLimitContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
};

/** The texts of each protocol. */
const texts = {
  TCP: {
    started: 'connection limit per client reached, resetting its further connections',
    ended: 'connection limit per client no longer reached',
  },
  UDP: {
    started: 'association limit per client reached, dropping its further datagrams',
    ended: 'association limit per client no longer reached',
  },
} as const;

/**
 * Limits what one client has of an endpoint: its TCP connections, waiting ones included, or its UDP associations. A
 * client is what `clientNetwork` returns. The limit applies to this process; a lower one ends nothing that is open.
 */
export class ClientLimit {
  /** How often a client was turned away. */
  refused = 0;
  readonly #context: ClientLimitContext;
  readonly #incident: Incident;
  readonly #counts = new Map<string, number>();
  /** The client that was turned away last. */
  #client = '';

  constructor(protocol: keyof typeof texts, context: ClientLimitContext) {
    const { log, clock, config } = context;
    const { started, ended } = texts[protocol];
    this.#context = context;
    this.#incident = new Incident(clock, {
      started: () => {
        const { name: endpoint, network } = config();
        const { maxConnectionsPerClient } = network;
        log.warn({ endpoint, client: this.#client, maxConnectionsPerClient }, started);
      },
      ended: (refused) => {
        log.info({ endpoint: config().name, refused }, ended);
      },
    });
  }

  /** Counts one more of `client`, unless it has reached the limit. @returns whether it may come. */
  take(client: string): boolean {
    const { maxConnectionsPerClient: limit } = this.#context.config().network;
    const count = this.#counts.get(client) ?? 0;
    if (limit > 0 && count >= limit) {
      this.refuse(client);
      return false;
    }
    this.#counts.set(client, count + 1);
    return true;
  }

  /** One of `client` that was counted is gone. */
  release(client: string): void {
    const left = (this.#counts.get(client) ?? 0) - 1;
    if (left > 0) this.#counts.set(client, left);
    else this.#counts.delete(client);
  }

  /** Counts that one more of `client` was turned away. */
  refuse(client: string): void {
    const { errors, config } = this.#context;
    this.refused += 1;
    this.#client = client;
    this.#incident.occurred();
    const error = { message: 'clients rejected, they have reached max_connections_per_client' };
    errors.add({ endpoint: config().name, side: 'client', reason: 'TooManyOfClient', error });
  }

  /** To be called at the end of the endpoint: ends a running incident. */
  end(): void {
    this.#incident.end();
  }
}
