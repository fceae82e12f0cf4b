import type { Protocol } from '../../api/port-conflicts.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientIp, clientText } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Address } from '../net/channel.ts';
import type { EndpointRemotes } from '../upstream/endpoint-remotes.ts';
import { inOrder, type KnownOrder } from '../upstream/remote-order.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import type { Remote } from '../upstream/remote.ts';

/** UDP clients that are known to be refused; of more than these the one that was refused first is forgotten. */
const maxKnown = 16_384;

/** What the choice of backends needs of its endpoint. */
export type ClientBackendsContext = {
  readonly clock: Clock;
  readonly remotes: EndpointRemotes;
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
};

/**
 * Sends the clients of an endpoint to its backends, and counts those whose backend refuses. No log line is written of them,
 * because the configuration asks for it. A UDP client stays refused until it has been silent for `udp_timeout`, like the clients
 * of an association: it would otherwise be served as soon as it had sent a few datagrams.
 */
export class ClientBackends {
  /** TCP clients, and datagrams of UDP clients, that were turned away. */
  readonly refused = { connections: 0, associations: 0 };
  readonly #context: ClientBackendsContext;
  /** Until when UDP clients are refused, those refused last at the end. */
  readonly #refusedClients = new Map<string, number>();

  constructor(context: ClientBackendsContext) {
    this.#context = context;
  }

  /**
   * Chooses the backend of a TCP client of the listening port `port`.
   *
   * @returns 'refused' if it is to be turned away; undefined if the endpoint no longer has the port.
   */
  ofConnection(port: number, address: string): RemotePool | 'refused' | undefined {
    return this.#choose('TCP', port, address);
  }

  /** The same for the client of a datagram. */
  ofAssociation(port: number, { address, port: ownPort }: Address): RemotePool | 'refused' | undefined {
    const key = `${String(port)} ${clientText(address, ownPort)}`;
    const isKnown = (this.#refusedClients.get(key) ?? 0) > this.#context.clock.monotonicMs();
    if (isKnown) this.refused.associations += 1;
    const pool = isKnown ? 'refused' : this.#choose('UDP', port, address);
    if (pool === 'refused') this.#remember(key);
    else this.#refusedClients.delete(key);
    return pool;
  }

  /** What `pool` is since the last reload; undefined if every backend refuses, or the endpoint no longer has the port. */
  current(protocol: Protocol, port: number, pool: RemotePool | undefined): RemotePool | undefined {
    return this.#context.remotes.forPort(protocol, port)?.current(pool);
  }

  /** The remotes of the backend of a TCP client, in the order in which to try them. */
  order(port: number, ip: string, pool: RemotePool | undefined): KnownOrder<Remote> {
    return this.current('TCP', port, pool)?.order(ip) ?? inOrder([], 0);
  }

  /** The backends have changed: a client that was refused may be served. */
  forget(): void {
    this.#refusedClients.clear();
  }

  #choose(protocol: Protocol, port: number, address: string): RemotePool | 'refused' | undefined {
    const backends = this.#context.remotes.forPort(protocol, port);
    const pool = backends?.choose(clientIp(address));
    if (backends === undefined || pool !== undefined) return pool;
    this.refused[protocol === 'TCP' ? 'connections' : 'associations'] += 1;
    return 'refused';
  }

  #remember(key: string): void {
    const { clock, config } = this.#context;
    const { udpTimeoutMs } = config().network;
    const [oldest] = this.#refusedClients.keys();
    if (this.#refusedClients.size >= maxKnown && oldest !== undefined) this.#refusedClients.delete(oldest);
    this.#refusedClients.delete(key);
    this.#refusedClients.set(key, udpTimeoutMs === 0 ? Infinity : clock.monotonicMs() + udpTimeoutMs);
  }
}
