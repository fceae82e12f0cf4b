import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Connection } from '../connection/connection.ts';
import { IdleSweep } from '../limits/idle-sweep.ts';
import type { EndpointTransport } from '../transport/endpoint-transport.ts';
import { hasTransport, Transports } from '../transport/transports.ts';
import type { RemoteInfo } from './messages.ts';

/** An endpoint, as a worker knows it. */
export class WorkerEndpoint {
  config: EndpointConfig;
  /** By number. */
  remotes: RemoteInfo[] = [];
  /** Undefined if both sides are plain TCP. */
  transport: EndpointTransport | undefined;
  /** While its transport is loaded. */
  loading: Promise<void> | undefined;
  readonly #connections = new Set<Connection>();
  readonly #idleSweep: IdleSweep;

  constructor(config: EndpointConfig, clock: Clock) {
    this.config = config;
    this.#idleSweep = new IdleSweep(clock, this.#connections, { idleMs: 0, halfClosedMs: 0 });
  }

  /** Serves new connections by `config` from now on; open ones go on, under the new idle limits. */
  configure(config: EndpointConfig): void {
    this.config = config;
    this.remotes = [];
    const { tcpIdleTimeoutMs: idleMs, tcpHalfCloseTimeoutMs: halfClosedMs } = config.network;
    this.#idleSweep.limit({ idleMs, halfClosedMs });
  }

  /** Calls `serve` once clients can be served: at once, unless the transport is still to be loaded. */
  async ready(serve: () => void): Promise<void> {
    if (this.loading !== undefined) await this.loading;
    serve();
  }

  opened(connection: Connection): void {
    this.#connections.add(connection);
    this.#idleSweep.watch();
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection);
  }
}

/** The main thread, which has the same certificates, logs what becomes of them. */
const silent = { info: () => undefined, error: () => undefined };

/** The endpoints whose connections a worker serves. */
export class WorkerEndpoints {
  readonly #clock: Clock;
  readonly #transports: Transports;
  readonly #endpoints = new Map<string, WorkerEndpoint>();
  #lastLoad: Promise<void> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#transports = new Transports({ clock, log: silent });
  }

  /** The endpoint that the main thread has named; it has configured it before. */
  get(name: string): WorkerEndpoint {
    const endpoint = this.#endpoints.get(name);
    if (endpoint === undefined) throw new Error(`no endpoint "${name}"`);
    return endpoint;
  }

  /** See `WorkerEndpoint.configure`. */
  configure(config: EndpointConfig): void {
    const endpoint = this.#endpoints.get(config.name) ?? new WorkerEndpoint(config, this.#clock);
    this.#endpoints.set(config.name, endpoint);
    endpoint.configure(config);
    if (hasTransport(config)) endpoint.loading = this.#load();
    else endpoint.transport = undefined;
  }

  forget(name: string): void {
    const endpoint = this.#endpoints.get(name);
    this.#endpoints.delete(name);
    if (endpoint?.transport !== undefined) void this.#load();
  }

  /** Loads the transports of all endpoints, one time after the other; those that have not changed stay. */
  #load(): Promise<void> {
    this.#lastLoad = this.#lastLoad.then(async () => {
      const endpoints = [...this.#endpoints.values()];
      const planned = await this.#transports.planned(endpoints.map(({ config }) => config));
      this.#transports.replace(planned);
      for (const endpoint of endpoints) endpoint.transport = planned.get(endpoint.config.name);
    });
    return this.#lastLoad;
  }
}
