import type { EndpointConfig, RelayConfig } from '../../config/relay-config.ts';
import type { DataPlane, EndpointStats } from './data-plane.ts';
import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import { DescriptorGuard } from '../limits/descriptor-guard.ts';
import type { Endpoint, EndpointContext } from './endpoint.ts';
import type { RemoteId } from '../upstream/endpoint-remotes.ts';
import { Endpoints } from './endpoints.ts';
import type { RecentError } from '../stats/recent-errors.ts';
import type { RemoteState } from '../upstream/remote.ts';
import { listenTcp, TcpListener } from '../listener/tcp-listener.ts';
import { TransportFilesError, Transports, type PlannedTransports } from '../transport/transports.ts';
import { isIpv6OnlySystem, listenUdp } from '../listener/udp-listener.ts';

/** What a data plane in this process works with. */
export type LocalDataPlaneOptions = Omit<EndpointContext, 'budget'> & {
  /** How many files the process may have open. */
  readonly openFiles: number;
  /** How long connections of an endpoint that was removed may go on. */
  readonly retireMs: number;
};

/** A bound TCP socket that another process handed over. */
type BoundHandle = object;

/** Whose clients come in at a listening socket. */
type Serving = { endpoint: Endpoint };

/** Serves clients in this process: the endpoints, and which of them each open socket serves. */
export class LocalDataPlane implements DataPlane {
  readonly #context: EndpointContext;
  readonly #descriptorGuard: DescriptorGuard;
  readonly #endpoints: Endpoints;
  readonly #serving = new Map<OpenListener, Serving>();
  readonly #transports: Transports;
  #planned = new Map<string, Endpoint>();
  #plannedTransports: PlannedTransports = new Map();
  #isConfigured = false;

  constructor({ openFiles, retireMs, ...rest }: LocalDataPlaneOptions) {
    this.#descriptorGuard = new DescriptorGuard({
      ...rest,
      limit: openFiles,
      listening: () => this.#serving.size,
    });
    this.#context = { ...rest, budget: this.#descriptorGuard.budget };
    this.#endpoints = new Endpoints(this.#context, retireMs);
    this.#transports = new Transports(this.#context);
  }

  get endpointStats(): readonly EndpointStats[] {
    return this.#endpoints.running;
  }

  get workerErrors(): readonly RecentError[] {
    return [];
  }

  get descriptorsShort(): number {
    return Number(this.#descriptorGuard.isShort);
  }

  get cutCount(): number {
    return this.#endpoints.cutCount;
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

  commit({ endpoints }: RelayConfig, serves: ReadonlyMap<OpenListener, string>): Promise<void> {
    this.#endpoints.replace(this.#planned, endpoints, this.#plannedTransports);
    this.#transports.replace(this.#plannedTransports);
    this.#isConfigured = true;
    for (const [socket, name] of serves) {
      const serving = this.#serving.get(socket);
      if (serving !== undefined) serving.endpoint = this.#endpointNamed(name);
    }
    return Promise.resolve();
  }

  /** @param handle  a TCP socket that is bound already, to listen with. */
  async listen(wanted: ListenRequest, handle?: BoundHandle): Promise<OpenListener> {
    const serving = { endpoint: this.#endpointNamed(wanted.endpoint) };
    const listening =
      wanted.spec.protocol === 'UDP'
        ? await this.#listenUdp(wanted, serving)
        : await this.#listenTcp(wanted, serving, handle);
    const socket = this.#openListener(listening, serving);
    this.#serving.set(socket, serving);
    if (listening instanceof TcpListener) this.#descriptorGuard.add(listening);
    return socket;
  }

  /** Takes over what is known of a remote elsewhere. */
  restore({ state, ...remote }: RemoteId & { readonly state: RemoteState }): void {
    const endpoint = this.#endpoints.running.find(({ config }) => config.name === remote.endpoint);
    for (const each of endpoint?.remotes.byAddress(remote) ?? []) each.restore(state);
  }

  refresh(): Promise<number> {
    return Promise.resolve(this.#endpoints.active);
  }

  cut(): void {
    this.#endpoints.cut();
  }

  idle(): Promise<void> {
    return this.#endpoints.idle();
  }

  close(): Promise<void> {
    this.#transports.stop();
    this.#descriptorGuard.stop();
    return Promise.resolve();
  }

  /** At a start the other endpoints serve where files are missing; later what runs is better than what cannot. */
  async #planTransports(endpoints: readonly EndpointConfig[]): Promise<PlannedTransports> {
    const planned = await this.#transports.planned(endpoints);
    const problems = this.#transports.problems(planned);
    if (problems.length === 0 || !this.#isConfigured) return planned;
    this.#transports.discard(planned);
    throw new TransportFilesError(problems.join('; '));
  }

  #listenUdp({ spec, address }: ListenRequest, serving: Serving): Promise<OpenListener> {
    const { port } = spec.listen;
    return listenUdp({
      address,
      port,
      ipv6Only: spec.ipv6Only,
      log: this.#context.log,
      isIpv6OnlySystem: isIpv6OnlySystem(),
      associate: (...client) => serving.endpoint.associate(port, ...client),
    });
  }

  async #listenTcp(
    { spec, address, onLost }: ListenRequest,
    serving: Serving,
    handle?: BoundHandle,
  ): Promise<TcpListener> {
    const { port } = spec.listen;
    const listener: TcpListener = await listenTcp({
      address,
      port,
      ipv6Only: spec.ipv6Only,
      ...(handle !== undefined && { handle }),
      tcp: this.#context.tcp,
      onAccepted: (client) => {
        this.#descriptorGuard.accepted(listener);
        serving.endpoint.serve(client, port);
      },
      onAcceptError: (err) => {
        const { config, warn } = serving.endpoint;
        warn({ endpoint: config.name, err }, 'accept failed');
      },
      onLost,
    });
    return listener;
  }

  #openListener(listening: OpenListener, serving: Serving): OpenListener {
    const { address, port, families } = listening;
    const socket: OpenListener = {
      address,
      port,
      families,
      drain: async () => {
        if (listening instanceof TcpListener) await this.#stopGuarding(listening, serving);
        await listening.drain();
      },
      close: async () => {
        this.#serving.delete(socket);
        if (listening instanceof TcpListener) await this.#stopGuarding(listening, serving);
        await listening.close();
      },
    };
    return socket;
  }

  /** `listener` is about to be closed: tells of those whom it has kept waiting, since the kernel resets them. */
  async #stopGuarding(listener: TcpListener, { endpoint }: Serving): Promise<void> {
    this.#descriptorGuard.remove(listener);
    if (!listener.isPaused) return;
    const clients = await listener.waiting();
    if (clients === 0) return;
    const { name } = endpoint.config;
    this.#context.log.warn({ endpoint: name, clients }, 'clients that wait in the kernel are reset');
  }

  #endpointNamed(name: string): Endpoint {
    const endpoint =
      this.#planned.get(name) ?? this.#endpoints.running.find(({ config }) => config.name === name);
    if (endpoint === undefined) throw new Error(`no endpoint "${name}" is planned or runs`);
    return endpoint;
  }
}
