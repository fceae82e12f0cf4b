import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { SourceFilter, isAllowed } from '../limits/source-filter.ts';
import { Associations } from '../udp/associations.ts';
import type { Accepted, TcpStack } from '../net/channel.ts';
import type { Connection, ConnectionContext } from '../connection/connection.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { Lookup } from '../dns/lookup.ts';
import { EndpointRemotes, type EndpointRemotesContext } from '../upstream/endpoint-remotes.ts';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import { ConnectionLimiter, type PermitClient, type Permits } from '../limits/connection-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { IdleSweep, type IdleLimits } from '../limits/idle-sweep.ts';
import { TrafficStats, type Traffic } from '../stats/traffic.ts';
import { serveTcp } from '../connection/tcp-connection.ts';
import type { UdpAssociation } from '../udp/association.ts';
import type { Reply, UdpClient } from '../listener/udp-listener.ts';
import { LogLimiter, type Warn } from '../stats/log-limiter.ts';

/** What every part of the relay works with. */
export type EndpointContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly tcp: TcpStack;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  readonly budget: DescriptorBudget;
  /** Lends places where a connection limit holds for several processes. */
  readonly permits?: (endpoint: string, client: PermitClient) => Permits;
} & Pick<EndpointRemotesContext, 'onRemoteEvent'>;

/** One endpoint at work: serves the clients of its listening sockets, whose coming and going it does not know. */
export class Endpoint {
  readonly #connections = new TrafficStats<Connection>(
    (connection) => connection.fromClient.bytes,
    (connection) => connection.fromUpstream.bytes,
  );
  readonly #associations: Associations;
  readonly #logLimiter: LogLimiter;
  readonly #sourceFilter: SourceFilter;
  readonly #limiter: ConnectionLimiter;
  readonly #connectionContext: ConnectionContext;
  readonly #idleSweep: IdleSweep;
  /** For whoever knows more of them. */
  readonly remotes: EndpointRemotes;
  #config: EndpointConfig;
  #transport: EndpointTransport | undefined;

  /** @param transport  undefined where both sides are plain TCP. */
  constructor(config: EndpointConfig, context: EndpointContext, transport?: EndpointTransport) {
    this.#config = config;
    this.#transport = transport;
    this.remotes = new EndpointRemotes(config, context);
    this.#logLimiter = new LogLimiter(context.log, context.clock, () => this.#config.name);
    const limited = { ...context, warn: this.#logLimiter.warn, config: () => this.#config };
    this.#sourceFilter = new SourceFilter(limited);
    this.#associations = new Associations({
      ...limited,
      allowsAssociation: (client) => this.#sourceFilter.allowsAssociation(client),
      pool: (port) => this.remotes.forPort('UDP', port),
    });
    this.#connectionContext = {
      ...context,
      warn: this.#logLimiter.warn,
      allowsSource: (address) => this.#sourceFilter.allowsSource(address),
      order: (port, ip) => this.remotes.forPort('TCP', port)?.order(ip) ?? [],
      onSettled: (settled, failure) => {
        this.#connections.closed(settled, failure);
        this.#limiter.release();
      },
    };
    this.#idleSweep = new IdleSweep(context.clock, this.#connections, idleLimits(config));
    this.#limiter = new ConnectionLimiter({
      ...context,
      config: () => this.#config,
      active: () => this.#connections.active,
      serve: (accepted, port) => {
        this.#connect(accepted, port);
      },
    });
  }

  get config(): EndpointConfig {
    return this.#config;
  }

  get transport(): EndpointTransport | undefined {
    return this.#transport;
  }

  get connections(): Traffic {
    return this.#connections.traffic;
  }

  get associations(): Traffic {
    return this.#associations.traffic;
  }

  get health(): EndpointRemotes['health'] {
    return this.remotes.health;
  }

  /** Its remotes as configured, in order, with all of their ports. */
  get remoteNames(): readonly string[] {
    return this.remotes.names;
  }

  /** TCP clients that wait for a place. */
  get waiting(): number {
    return this.#limiter.waiting;
  }

  /** Clients that were turned away since there was no place for them. */
  get refused(): { readonly connections: number; readonly associations: number } {
    return { connections: this.#limiter.refused, associations: this.#associations.refused };
  }

  /** Clients that were turned away since `allowed_sources` does not name them. */
  get notAllowed(): { readonly connections: number; readonly associations: number } {
    return { ...this.#sourceFilter.refused };
  }

  /** Associations that made room for another client. */
  get evicted(): number {
    return this.#associations.evicted;
  }

  /** Tells of something that may happen by the thousand. */
  get warn(): Warn {
    return this.#logLimiter.warn;
  }

  /** What is open or waits. */
  get load(): number {
    return this.#limiter.waiting + this.#connections.active + this.#associations.active;
  }

  /** `config` is to be taken: clients of its new ports may come before. */
  addPorts(config: EndpointConfig): void {
    this.remotes.addPorts(config);
  }

  /**
   * Serves new clients, and those who wait, as `config` says. Open connections go on, under its idle limits;
   * associations with a remote that is no longer listed, or of a client that is no longer allowed, end, since a busy
   * one would never end by itself.
   */
  reconfigure(config: EndpointConfig, transport?: EndpointTransport): void {
    const { allowedSources } = this.#config.network;
    this.#config = config;
    this.#transport = transport;
    this.#limiter.keepOnly(({ remote }) => this.#sourceFilter.allowsPeer(remote));
    this.#limiter.dequeue(); // the limit may be higher now
    this.#idleSweep.limit(idleLimits(config));
    if (this.remotes.configure(config)) {
      const isListed = ({ port, remote }: UdpAssociation): boolean =>
        this.remotes.forPort('UDP', port)?.remotes.includes(remote) ?? false;
      this.#associations.keepOnly(isListed, 'RemoteRemoved');
    }
    if (allowedSources.join() === config.network.allowedSources.join()) return;
    this.#associations.keepOnly(({ ip }) => isAllowed(config.network, ip), 'NotAllowed');
  }

  /** Serves one TCP client of a listening port, at once or when there is a place, if it may come. */
  serve(accepted: Accepted, port: number): void {
    if (this.#sourceFilter.allowsPeer(accepted.remote)) this.#limiter.admit(accepted, port);
    else accepted.reset();
  }

  #connect(accepted: Accepted, port: number): void {
    const serve = this.#transport?.serve ?? serveTcp;
    const connection = serve(accepted, port, this.#config, this.#connectionContext);
    this.#connections.opened(connection);
    this.#idleSweep.watch();
    connection.start();
  }

  /** Begins to serve one UDP client of a listening port. @returns undefined where there is no room for it, or it may not. */
  associate(port: number, client: UdpClient, reply: Reply, onClosed: () => void): UdpAssociation | undefined {
    return this.#associations.associate(port, client, reply, onClosed);
  }

  /** No new clients will come. */
  retire(): void {
    this.remotes.stop();
  }

  /** Resets every open connection and all who wait, and ends every association. */
  cut(): void {
    this.retire();
    this.#limiter.cut();
    for (const connection of this.#connections) connection.cut();
    this.#associations.cut();
  }

  /** Resolves when nothing is open and nobody waits. */
  async idle(): Promise<void> {
    while (this.load > 0)
      await Promise.all([this.#limiter.idle(), this.#connections.idle(), this.#associations.idle()]);
    this.#logLimiter.end();
  }
}

function idleLimits({ network }: EndpointConfig): IdleLimits {
  return { idleMs: network.tcpIdleTimeoutMs, halfClosedMs: network.tcpHalfCloseTimeoutMs };
}
