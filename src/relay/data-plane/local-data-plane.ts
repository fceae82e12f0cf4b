import type { EngineName } from '../../config/engine.ts';
import type { EndpointConfig, RelayConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { present } from '../../lib/record.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import { DescriptorGuard } from '../limits/descriptor-guard.ts';
import { OwnSockets } from '../limits/own-sockets.ts';
import { MemoryBudget, memoryBudgetBytes } from '../limits/memory-budget.ts';
import type { MemoryUse } from '../stats/memory-use.ts';
import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { ServedEndpoints } from '../listener/socket-plan.ts';
import { listenTcp, TcpListener } from '../listener/tcp-listener.ts';
import { listenUdp } from '../listener/udp-listener.ts';
import type { Engine } from '../net/engine.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { TransportFilesError, Transports, type PlannedTransports } from '../transport/transports.ts';
import type { DataPlane, EndpointStats, WorkersStatus } from './data-plane.ts';
import type { Endpoint, EndpointContext } from './endpoint.ts';
import { Endpoints } from './endpoints.ts';
import type { SharedBy } from './hello-router.ts';
import { Serving } from './serving.ts';
import type { MainThread, ServingThreads } from './serving-threads.ts';

/** What a data plane in this process works with. */
export type LocalDataPlaneOptions = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly engine: Engine;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** How many files the process may have open. */
  readonly openFiles: number;
  /** How much memory clients may make the process use; by default what the system's limit allows. */
  readonly memoryBytes?: number;
  /** How long connections of a removed endpoint may go on. */
  readonly retireMs: number;
  /** Threads that serve connections, too. */
  readonly threads?: ServingThreads;
};

/** Serves clients in this process: the endpoints, and which of them each open listener belongs to. */
export class LocalDataPlane implements DataPlane {
  readonly engine: EngineName;
  readonly #context: EndpointContext;
  readonly #descriptorGuard: DescriptorGuard;
  readonly #endpoints: Endpoints;
  readonly #serving = new Map<OpenListener, Serving>();
  readonly #transports: Transports;
  #planned = new Map<string, Endpoint>();
  #plannedTransports: PlannedTransports = new Map();
  #isConfigured = false;
  #cutAwaited = 0;
  /** Descriptors of listening sockets, and those of the threads. */
  #listening: number;

  constructor({ openFiles, memoryBytes, retireMs, engine, ...rest }: LocalDataPlaneOptions) {
    const { log, clock, errors, threads } = rest;
    const { count, ownDescriptors, cells, used } = sharedWith(threads);
    this.#listening = ownDescriptors;
    const listening = (): number => this.#listening;
    const budgetBytes = memoryBytes ?? memoryBudgetBytes(count);
    const memory = new MemoryBudget({ budgetBytes, log, clock, errors, ...cells });
    const guard = new DescriptorGuard({ limit: openFiles, listening, memory, log, clock, errors, ...used });
    const ownSockets = { TCP: new OwnSockets(clock, threads?.sync), UDP: new OwnSockets(clock) };
    this.#descriptorGuard = guard;
    const { tcp } = engine;
    const udp = threads === undefined ? engine.udp : (engine.udpOver?.(threads.udp) ?? engine.udp);
    this.#context = { ...rest, ownSockets, budget: guard.budget, memory, tcp, udp };
    tcp.countDescriptors(guard.budget, count);
    this.engine = engine.name;
    this.#endpoints = new Endpoints(this.#context, retireMs);
    this.#transports = new Transports(this.#context);
    threads?.share(this.#mainThread());
    threads?.limitDescriptors(guard.budget.total);
  }

  get endpointStats(): readonly EndpointStats[] {
    return this.#endpoints.running.map(({ stats }) => stats);
  }

  get descriptorsShort(): boolean {
    return this.#descriptorGuard.isShort;
  }

  get workers(): WorkersStatus | undefined {
    const { threads } = this.#context;
    return threads?.status(this.#endpoints.active - threads.load);
  }

  get memory(): MemoryUse {
    return this.#context.memory.use;
  }

  get datagramsLost(): number {
    return this.#context.udp.lost();
  }

  get cutCount(): number {
    return this.#endpoints.cutCount + this.#cutAwaited;
  }

  /** Clients that no endpoint has yet. */
  get #awaited(): number {
    return [...this.#serving.values()].reduce((sum, { load }) => sum + load, 0);
  }

  async plan({ endpoints }: RelayConfig): Promise<void> {
    this.#plannedTransports = await this.#planTransports(endpoints);
    this.#planned = this.#endpoints.planned(endpoints, this.#plannedTransports);
  }

  discard(): Promise<void> {
    this.#endpoints.discard(this.#planned);
    this.#transports.discard(this.#plannedTransports);
    this.#planned = new Map();
    return Promise.resolve();
  }

  commit({ endpoints }: RelayConfig, serves: ReadonlyMap<OpenListener, ServedEndpoints>): Promise<void> {
    this.#endpoints.replace(this.#planned, endpoints, this.#plannedTransports);
    this.#transports.replace(this.#plannedTransports);
    this.#context.threads?.configure(endpoints);
    this.#isConfigured = true;
    for (const [socket, names] of serves) this.#serving.get(socket)?.share(this.#endpointsNamed(names));
    return Promise.resolve();
  }

  async listen(request: ListenRequest): Promise<OpenListener> {
    const serving = new Serving(this.#endpointsNamed(request.endpoints), this.#context);
    const listener =
      request.spec.protocol === 'UDP'
        ? await this.#listenUdp(request, serving)
        : await this.#listenTcp(request, serving);
    const socket = this.#openListener(listener, serving);
    this.#serving.set(socket, serving);
    this.#listening += socket.sockets;
    if (listener instanceof TcpListener) {
      this.#descriptorGuard.add(listener);
      this.#context.threads?.listens(listener.port, true);
    }
    this.#context.threads?.limitDescriptors(this.#descriptorGuard.budget.total);
    return socket;
  }

  async refresh(): Promise<number> {
    await this.#context.threads?.refresh();
    return this.#endpoints.active + this.#awaited;
  }

  cut(): void {
    this.#cutAwaited += this.#awaited;
    for (const serving of this.#serving.values()) serving.cut();
    this.#endpoints.cut();
  }

  async idle(): Promise<void> {
    do {
      await Promise.all([...this.#serving.values()].map((serving) => serving.idle()));
      await this.#endpoints.idle();
    } while (this.#awaited > 0);
  }

  async close(): Promise<void> {
    this.#transports.stop();
    this.#descriptorGuard.stop();
    this.#context.memory.end();
    await this.#context.threads?.close();
  }

  /** Missing files make a start go on without their endpoint, and a reload fail, so that what runs goes on. */
  async #planTransports(endpoints: readonly EndpointConfig[]): Promise<PlannedTransports> {
    const planned = await this.#transports.planned(endpoints);
    const problems = this.#transports.problems(planned);
    if (problems.length === 0 || !this.#isConfigured) return planned;
    this.#transports.discard(planned);
    throw new TransportFilesError(problems.join('; '));
  }

  #listenUdp({ spec, address, inherited }: ListenRequest, serving: Serving): Promise<OpenListener> {
    const { port } = spec.listen;
    return listenUdp({
      address,
      port,
      ipv6Only: spec.ipv6Only,
      device: spec.device,
      udp: this.#context.udp,
      ...present('handle', inherited),
      log: this.#context.log,
      dscp: () => serving.endpoint.config.network.dscp,
      associate: (...client) => serving.endpoint.associate(port, ...client),
    });
  }

  async #listenTcp({ spec, address, inherited }: ListenRequest, serving: Serving): Promise<TcpListener> {
    const { port } = spec.listen;
    const listener: TcpListener = await listenTcp({
      address,
      port,
      ipv6Only: spec.ipv6Only,
      device: inherited === undefined ? spec.device : undefined, // which an inherited socket has already
      ...present('mptcp', spec.mptcp),
      ...present('handle', inherited),
      settings: serving.endpoint.config.network,
      tcp: this.#context.tcp,
      onAccepted: (client) => {
        this.#descriptorGuard.accepted(listener);
        serving.serve(client, port);
      },
      onAcceptError: (err) => {
        const { config, warn } = serving.endpoint;
        warn({ endpoint: config.name, err }, 'accept failed');
      },
    });
    return listener;
  }

  #openListener(listener: OpenListener, serving: Serving): OpenListener {
    const { address, port, families, sockets } = listener;
    const socket: OpenListener = {
      address,
      port,
      families,
      sockets,
      drain: async () => {
        if (listener instanceof TcpListener) await this.#stopGuarding(listener, serving);
        await listener.drain();
      },
      release: async () => {
        if (listener instanceof TcpListener) this.#unguard(listener);
        await listener.release();
      },
      close: async () => {
        if (this.#serving.delete(socket)) this.#listening -= socket.sockets;
        serving.cut(); // no endpoint has the port any more
        if (listener instanceof TcpListener) await this.#stopGuarding(listener, serving);
        await listener.close();
        this.#context.threads?.limitDescriptors(this.#descriptorGuard.budget.total);
      },
    };
    return socket;
  }

  /** No client of `listener` is accepted any more; to be called any number of times. */
  #unguard(listener: TcpListener): void {
    if (this.#descriptorGuard.remove(listener)) this.#context.threads?.listens(listener.port, false);
  }

  /** To be called before `listener` is closed: logs how many clients it kept waiting, since the kernel resets them. */
  async #stopGuarding(listener: TcpListener, { endpoint }: Serving): Promise<void> {
    this.#unguard(listener);
    if (!listener.isPaused) return;
    const clients = await listener.waiting();
    if (clients === 0) return;
    const { name } = endpoint.config;
    this.#context.log.warn({ endpoint: name, clients }, 'resetting clients that wait in the kernel');
  }

  /** What other threads use and change here. */
  #mainThread(): MainThread {
    const { lookup, errors, memory } = this.#context;
    return {
      lookup,
      errors,
      descriptorsChanged: () => {
        this.#descriptorGuard.check();
      },
      memoryChanged: () => {
        memory.shortChanged();
      },
      givenBack: () => {
        memory.update();
        this.#descriptorGuard.check();
      },
    };
  }

  #endpointsNamed([first, ...others]: ServedEndpoints): SharedBy {
    return [this.#endpointNamed(first), ...others.map((name) => this.#endpointNamed(name))];
  }

  #endpointNamed(name: string): Endpoint {
    const endpoint =
      this.#planned.get(name) ?? this.#endpoints.running.find(({ config }) => config.name === name);
    if (endpoint === undefined) throw new Error(`no endpoint "${name}" is planned or runs`);
    return endpoint;
  }
}

/** What is shared with `threads`; nothing if there are none. */
function sharedWith(threads: ServingThreads | undefined) {
  if (threads === undefined) return { count: 1, ownDescriptors: 0, cells: {}, used: {} };
  const { count, ownDescriptors, memory: cells, descriptors: used } = threads;
  return { count, ownDescriptors, cells: { cells }, used: { used } };
}
