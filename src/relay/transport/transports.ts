import type { EndpointConfig } from '../../config/relay-config.ts';
import { RealmError } from '../../lib/errors.ts';
import type { EndpointTransport, TransportContext } from './endpoint-transport.ts';

/** A new configuration names files that cannot be used yet; the previous configuration goes on. */
export class TransportFilesError extends RealmError {
  readonly code = 'REALM_TRANSPORT_FILES';
}

/** The transports by the name of their endpoint; an endpoint that is plain TCP on both sides has none. */
export type PlannedTransports = ReadonlyMap<string, EndpointTransport>;

/** The transports of all endpoints. The code of TLS and WebSocket is loaded when the first endpoint needs it. */
export class Transports {
  readonly #context: TransportContext;
  readonly #requested = new WeakMap<EndpointTransport, string>();
  #running: PlannedTransports = new Map();

  constructor(context: TransportContext) {
    this.#context = context;
  }

  /** The transports for `configs`: those that have not changed stay in use, the files of the others are read. */
  async planned(configs: readonly EndpointConfig[]): Promise<PlannedTransports> {
    const wanted = configs.filter(hasTransport);
    const planned = await Promise.all(
      wanted.map(async (config) => [config.name, await this.#transport(config)] as const),
    );
    return new Map(planned);
  }

  /** What is wrong with the files of those of `planned` that are new, and cannot do without, one line each. */
  problems(planned: PlannedTransports): readonly string[] {
    return [...planned]
      .filter(([name, transport]) => this.#running.get(name) !== transport)
      .filter(([, { isUsable, isOptional }]) => !isUsable && !isOptional)
      .map(([name, { problem }]) => `endpoint "${name}": ${problem}`);
  }

  /** Uses `planned` from now on and stops those that it replaces. */
  replace(planned: PlannedTransports): void {
    const before = this.#running;
    this.#running = planned;
    for (const [name, transport] of planned) if (before.get(name) !== transport) transport.watch();
    for (const [name, transport] of before) if (planned.get(name) !== transport) transport.stop();
  }

  /** Stops those of `planned` that are not in use. */
  discard(planned: PlannedTransports): void {
    for (const [name, transport] of planned) if (this.#running.get(name) !== transport) transport.stop();
  }

  /** Stops watching all files. */
  stop(): void {
    for (const transport of this.#running.values()) transport.stop();
  }

  async #transport(config: EndpointConfig): Promise<EndpointTransport> {
    const requested = JSON.stringify([config.listenTransport, config.remoteTransport]);
    const running = this.#running.get(config.name);
    if (running !== undefined && this.#requested.get(running) === requested) return running;
    const { loadTransport } = await import('./watched-transport.ts');
    const transport = await loadTransport(config, this.#context);
    this.#requested.set(transport, requested);
    return transport;
  }
}

/** Whether an endpoint uses TLS or WebSocket on either side. Transports do not concern UDP. */
export function hasTransport({ network, listenTransport, remoteTransport }: EndpointConfig): boolean {
  return network.tcp && (listenTransport !== undefined || remoteTransport !== undefined);
}

/** What is wrong with the files that the transports of `endpoints` name, one line each. */
export async function transportProblems(
  endpoints: readonly EndpointConfig[],
  context: TransportContext,
): Promise<readonly string[]> {
  const transports = new Transports(context);
  return transports.problems(await transports.planned(endpoints));
}
