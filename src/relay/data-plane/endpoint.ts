import type { Protocol } from '../../api/port-conflicts.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientNetwork } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RealmError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Connection, DecidingContext } from '../connection/connection.ts';
import { serveTcp } from '../connection/tcp-connection.ts';
import type { Lookup } from '../dns/lookup.ts';
import { ClientLimit, ClientLimitError } from '../limits/client-limit.ts';
import { ConnectionLimiter } from '../limits/connection-limiter.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import { IdleSweep, type IdleLimits } from '../limits/idle-sweep.ts';
import { LoopGuard, type OwnSocketsByProtocol } from '../limits/loop-guard.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import { SourceError, SourceFilter, isAllowed } from '../limits/source-filter.ts';
import type { Accepted, Address, TcpStack } from '../net/channel.ts';
import { NoDataError } from '../net/no-data-error.ts';
import type { DatagramClient, UdpStack } from '../net/datagrams.ts';
import { connectionBounds, dialBounds, Histogram } from '../stats/histogram.ts';
import { LogLimiter, type Warn } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { TrafficStats } from '../stats/traffic.ts';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import type { UdpAssociation } from '../udp/association.ts';
import { Associations } from '../udp/associations.ts';
import type { Connect } from '../upstream/health-checks.ts';
import { BackendRefusedError } from '../upstream/backends.ts';
import { EndpointRemotes } from '../upstream/endpoint-remotes.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import { ClientBackends } from './client-backends.ts';
import type { EndpointStats } from './data-plane.ts';
import { HelloRefusals } from './hello-refusals.ts';
import type { ServingThreads } from './serving-threads.ts';

/** What every endpoint of a data plane works with. */
export type EndpointContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly tcp: TcpStack;
  readonly udp: UdpStack;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  readonly budget: DescriptorBudget;
  readonly ownSockets: OwnSocketsByProtocol;
  readonly memory: MemoryBudget;
  /** Threads that serve connections, too. */
  readonly threads?: ServingThreads;
};

/** One running endpoint: serves the clients of its listening sockets, which are opened and closed elsewhere. */
export class Endpoint {
  readonly #connections = new TrafficStats<Connection>(
    (connection) => connection.fromClient.bytes,
    (connection) => connection.fromUpstream.bytes,
  );
  readonly #associations: Associations;
  readonly #logLimiter: LogLimiter;
  readonly #sourceFilter: SourceFilter;
  readonly #loopGuard: LoopGuard;
  readonly #clientLimits: Readonly<Record<Protocol, ClientLimit>>;
  readonly #limiter: ConnectionLimiter;
  readonly #connectionContext: DecidingContext;
  readonly #remotes: EndpointRemotes;
  readonly #backends: ClientBackends;
  readonly #threads: ServingThreads | undefined;
  readonly #idleSweep: IdleSweep;
  readonly #dialTime = new Histogram(dialBounds);
  readonly #connectionTime = new Histogram(connectionBounds);
  readonly #hellos: HelloRefusals;
  #probes = 0;
  #config: EndpointConfig;
  #transport: EndpointTransport | undefined;

  /** @param transport  undefined if both sides are plain TCP. */
  constructor(config: EndpointConfig, context: EndpointContext, transport?: EndpointTransport) {
    this.#config = config;
    this.#transport = transport;
    this.#threads = context.threads;
    this.#remotes = new EndpointRemotes(config, { ...context, connect: () => this.#checkConnect() });
    const { clock } = context;
    this.#backends = new ClientBackends({ clock, remotes: this.#remotes, config: () => this.#config });
    this.#logLimiter = new LogLimiter(context.log, context.clock, () => this.#config.name);
    const limited = { ...context, warn: this.#logLimiter.warn, config: () => this.#config };
    this.#hellos = new HelloRefusals({ ...limited, endpoint: () => this.#config.name });
    this.#sourceFilter = new SourceFilter(limited);
    this.#loopGuard = new LoopGuard({ ...limited, endpoint: config.name });
    this.#clientLimits = { TCP: new ClientLimit('TCP', limited), UDP: new ClientLimit('UDP', limited) };
    this.#associations = new Associations({
      ...limited,
      clientLimit: this.#clientLimits.UDP,
      ownSockets: context.ownSockets.UDP,
    });
    this.#connectionContext = {
      ...context,
      ownSockets: context.ownSockets.TCP,
      warn: this.#logLimiter.warn,
      admitSource: (connection, address, port) => this.#admitSource(connection, address, port),
      order: (port, ip, { pool }) => this.#backends.order(port, ip, pool),
      onDialled: (waitedMs) => {
        this.#dialTime.observe(waitedMs);
      },
      onSettled: (settled, failure, durationMs) => {
        if (failure === 'probe') this.#probes += 1;
        else this.#connectionTime.observe(durationMs);
        this.#connections.closed(settled, failure === 'probe' ? undefined : failure);
        this.#threads?.settled(settled);
        this.#limiter.release(settled.countedAs);
      },
    };
    this.#idleSweep = new IdleSweep(context.clock, this.#connections, idleLimits(config));
    this.#limiter = new ConnectionLimiter({
      ...limited,
      clientLimit: this.#clientLimits.TCP,
      active: () => this.#connections.active,
    });
  }

  get config(): EndpointConfig {
    return this.#config;
  }

  /** How it is now. */
  get stats(): EndpointStats {
    for (const connection of this.#connections) connection.countTraffic();
    this.#associations.countTraffic();
    return {
      config: this.#config,
      remoteNames: this.#remotes.names,
      health: this.#remotes.health,
      transport: this.#transport && {
        problem: this.#transport.problem,
        isUsable: this.#transport.isUsable,
        isOptional: this.#transport.isOptional,
      },
      connections: this.#connections.traffic,
      associations: this.#associations.traffic,
      waiting: this.#limiter.waiting,
      refused: { connections: this.#limiter.refused, associations: this.#associations.refused },
      notAllowed: { ...this.#sourceFilter.refused },
      looped: { ...this.#loopGuard.refused },
      backendRefused: { ...this.#backends.refused },
      tooManyOfClient: {
        connections: this.#clientLimits.TCP.refused,
        associations: this.#clientLimits.UDP.refused,
      },
      probes: this.#probes,
      hellos: this.#hellos.counts,
      evicted: this.#associations.evicted,
      dialTime: this.#dialTime.counts,
      connectionTime: this.#connectionTime.counts,
    };
  }

  /** Logs a warning that thousands of clients may cause. */
  get warn(): Warn {
    return this.#logLimiter.warn;
  }

  /** Open connections and associations, and clients that wait. */
  get load(): number {
    return this.#limiter.waiting + this.#connections.active + this.#associations.active;
  }

  /** Prepares for the new ports of `config`, since their clients may come before `reconfigure`. */
  addPorts(config: EndpointConfig): void {
    if (config !== this.#config) this.#remotes.addPorts(config);
  }

  /**
   * Serves new clients, and those that wait, by `config`. Open connections go on, under the new idle limits.
   * Associations with a remote that is no longer listed or of a client that is no longer allowed end, since a busy one
   * would otherwise stay for ever.
   */
  reconfigure(config: EndpointConfig, transport?: EndpointTransport): void {
    if (config === this.#config && transport === this.#transport) return;
    const { allowedSources } = this.#config.network;
    this.#config = config;
    this.#transport = transport;
    this.#limiter.keepOnly(({ remote }) => this.#sourceFilter.allowsPeer(remote));
    this.#limiter.dequeue(); // the limit may be higher now
    this.#idleSweep.limit(idleLimits(config));
    if (this.#remotes.configure(config)) {
      this.#backends.forget();
      const isListed = ({ port, remote }: UdpAssociation): boolean =>
        remote !== undefined && this.#remotes.forPort('UDP', port)?.has(remote) === true;
      this.#associations.keepOnly(isListed, 'RemoteRemoved');
    }
    if (allowedSources.join() === config.network.allowedSources.join()) return;
    this.#associations.keepOnly(({ ip }) => isAllowed(config.network, ip), 'NotAllowed');
  }

  /**
   * The way of a TCP client of a listening port: source filter → loop guard → backend → limit per client → connection limiter
   * (it may wait) → connection. With `accept_proxy` its header names the client, so filter, backend and limit per client apply
   * once it is read.
   */
  serve(accepted: Accepted, port: number): void {
    const path = this.#sourceFilter.allowsPeer(accepted.remote)
      ? this.#loopGuard.path('TCP', accepted.remote, port, () => accepted.local())
      : undefined;
    const isNamedLater = this.#config.network.acceptProxy !== undefined;
    const pool =
      path === undefined || isNamedLater
        ? undefined
        : this.#backends.ofConnection(port, accepted.remote.address);
    if (path === undefined || pool === 'refused') {
      accepted.reset();
      return;
    }
    this.#limiter.admit(accepted, (countedAs) => {
      const connection = this.#newConnection(accepted, port);
      connection.countedAs = countedAs;
      connection.path = path;
      connection.pool = pool;
      this.#connections.opened(connection);
      this.#idleSweep.watch();
      connection.start();
    });
  }

  /** Turns away a TLS client of which too many wait, before its name leads to an endpoint. */
  refuseMany(accepted: Accepted): void {
    accepted.reset();
    this.#clientLimits.TCP.refuse(clientNetwork(accepted.remote.address));
  }

  /** Counts, logs and remembers a TLS client that was turned away before its name led to an endpoint. */
  helloRefused(client: Address, error: Error): void {
    if (error instanceof NoDataError) this.#probes += 1;
    else this.#hellos.add(client, error);
  }

  /**
   * The way of a UDP client of a listening port: source filter → loop guard → backend → limit per client → association. If there is no room,
   * another association is evicted.
   *
   * @returns undefined if the client may not have one, there is no room, or the endpoint no longer has the port.
   */
  associate(port: number, client: DatagramClient, onClosed: () => void): UdpAssociation | undefined {
    if (this.#remotes.forPort('UDP', port) === undefined) return undefined;
    if (!this.#sourceFilter.allowsAssociation(client)) return undefined;
    const path = this.#loopGuard.path('UDP', client, port);
    const chosen = path && this.#backends.ofAssociation(port, client);
    if (path === undefined || chosen === undefined || chosen === 'refused') return undefined;
    const pool = (): RemotePool | undefined => this.#backends.current('UDP', port, chosen);
    return this.#associations.associate({ port, client, path, pool, onClosed });
  }

  /** How a check connects to remotes with transports. */
  #checkConnect(): Connect | undefined {
    const [transport, config, { tcp }] = [this.#transport, this.#config, this.#connectionContext];
    if (transport === undefined) return undefined;
    return (target, onConnected) => transport.connect(target, onConnected, config, tcp);
  }

  #newConnection(accepted: Accepted, port: number): Connection {
    const [config, context] = [this.#config, this.#connectionContext];
    const handed = this.#threads?.serve(accepted, port, config, context);
    return handed ?? (this.#transport?.serve ?? serveTcp)(accepted, port, config, context);
  }

  /** Whether to serve the client that a PROXY header names. */
  #admitSource(connection: Connection, address: string, port: number): RealmError | undefined {
    if (!this.#sourceFilter.allowsSource(address)) return new SourceError();
    const client = clientNetwork(address);
    if (connection.countedAs !== undefined) this.#clientLimits.TCP.release(connection.countedAs);
    connection.countedAs = this.#clientLimits.TCP.take(client) ? client : undefined;
    if (connection.countedAs === undefined) return new ClientLimitError();
    const pool = this.#backends.ofConnection(port, address);
    if (pool === 'refused') return new BackendRefusedError();
    connection.pool = pool;
    return undefined;
  }

  /** No new clients will come. */
  retire(): void {
    this.#remotes.stop();
  }

  /** Resets every open connection and every client that waits, and ends every association. */
  cut(): void {
    this.retire();
    this.#limiter.cut();
    for (const connection of this.#connections) connection.cut();
    this.#associations.cut();
  }

  /** Resolves when nothing is open and no client waits. */
  async idle(): Promise<void> {
    while (this.load > 0)
      await Promise.all([this.#limiter.idle(), this.#connections.idle(), this.#associations.idle()]);
    this.#logLimiter.end();
    for (const limit of Object.values(this.#clientLimits)) limit.end();
  }
}

function idleLimits({ network }: EndpointConfig): IdleLimits {
  return { idleMs: network.tcpIdleTimeoutMs, halfClosedMs: network.tcpHalfCloseTimeoutMs };
}
