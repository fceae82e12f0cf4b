import type { EndpointConfig, RelayConfig } from '../config/relay-config.ts';
import type { Crew, EndpointAccount, OpenSocket, SocketToOpen } from './crew.ts';
import { DescriptorBudget } from './descriptor-budget.ts';
import type { Endpoint, Surroundings } from './endpoint.ts';
import type { OfRemote } from './endpoint-remotes.ts';
import { Endpoints } from './endpoints.ts';
import type { Listening } from './listening.ts';
import type { RecentError } from './recent-errors.ts';
import type { RemoteState } from './remote.ts';
import { listenTcp } from './tcp-listener.ts';
import { TransportFilesError, Transports, type PlannedTransports } from './transports.ts';
import { isIpv6OnlySystem, listenUdp } from './udp-listener.ts';

/** What a crew in this process works with. */
export type LocalCrewOptions = Omit<Surroundings, 'budget'> & {
  /** How many files the process may have open. */
  readonly openFiles: number;
  /** How long connections of an endpoint that was removed may go on. */
  readonly retireMs: number;
};

/** A bound TCP socket that another process handed over. */
type BoundHandle = object;

/** Serves clients in this process: the endpoints, and which of them each open socket serves. */
export class LocalCrew implements Crew {
  readonly #surroundings: Surroundings;
  readonly #endpoints: Endpoints;
  readonly #serving = new Map<OpenSocket, { endpoint: Endpoint }>();
  readonly #transports: Transports;
  #planned = new Map<string, Endpoint>();
  #plannedTransports: PlannedTransports = new Map();
  #isConfigured = false;

  constructor({ openFiles, retireMs, ...rest }: LocalCrewOptions) {
    const budget = new DescriptorBudget({ limit: openFiles, listening: () => this.#serving.size });
    this.#surroundings = { ...rest, budget };
    this.#endpoints = new Endpoints(this.#surroundings, retireMs);
    this.#transports = new Transports(this.#surroundings);
  }

  get accounts(): readonly EndpointAccount[] {
    return this.#endpoints.running;
  }

  get errorsElsewhere(): readonly RecentError[] {
    return [];
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

  commit({ endpoints }: RelayConfig, serves: ReadonlyMap<OpenSocket, string>): Promise<void> {
    this.#endpoints.replace(this.#planned, endpoints, this.#plannedTransports);
    this.#transports.replace(this.#plannedTransports);
    this.#isConfigured = true;
    for (const [socket, name] of serves) {
      const serving = this.#serving.get(socket);
      if (serving !== undefined) serving.endpoint = this.#named(name);
    }
    return Promise.resolve();
  }

  /** @param handle  a TCP socket that is bound already, to listen with. */
  async listen({ spec, address, endpoint }: SocketToOpen, handle?: BoundHandle): Promise<OpenSocket> {
    const serving = { endpoint: this.#named(endpoint) };
    const { log, tcp } = this.#surroundings;
    const { port } = spec.listen;
    const place = { address, port, ipv6Only: spec.ipv6Only };
    const listening =
      spec.protocol === 'UDP'
        ? await listenUdp({
            ...place,
            log,
            isIpv6OnlySystem: isIpv6OnlySystem(),
            associate: (...client) => serving.endpoint.associate(port, ...client),
          })
        : await listenTcp({
            ...place,
            ...(handle !== undefined && { handle }),
            tcp,
            onAccepted: (client) => {
              serving.endpoint.serve(client, port);
            },
            onAcceptError: (err) => {
              const { config, warn } = serving.endpoint;
              warn({ endpoint: config.name, err }, 'accept failed');
            },
          });
    const socket = this.#open(listening);
    this.#serving.set(socket, serving);
    return socket;
  }

  /** Takes over what is known of a remote elsewhere. */
  adopt({ state, ...remote }: OfRemote & { readonly state: RemoteState }): void {
    const endpoint = this.#endpoints.running.find(({ config }) => config.name === remote.endpoint);
    for (const each of endpoint?.remotes.named(remote) ?? []) each.adopt(state);
  }

  survey(): Promise<number> {
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

  #open(listening: Listening): OpenSocket {
    const { address, port, families } = listening;
    const socket: OpenSocket = {
      address,
      port,
      families,
      drain: () => {
        listening.drain();
        return Promise.resolve();
      },
      close: () => {
        listening.close();
        this.#serving.delete(socket);
        return Promise.resolve();
      },
    };
    return socket;
  }

  #named(name: string): Endpoint {
    const endpoint =
      this.#planned.get(name) ?? this.#endpoints.running.find(({ config }) => config.name === name);
    if (endpoint === undefined) throw new Error(`no endpoint "${name}" is planned or runs`);
    return endpoint;
  }
}
