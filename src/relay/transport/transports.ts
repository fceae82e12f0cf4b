import type { EndpointConfig } from '../../config/relay-config.ts';
import { RealmError } from '../../lib/errors.ts';
import type { EndpointTransport, TransportContext } from './endpoint-transport.ts';

/** Files that a new configuration names cannot be used yet: all is as before. */
export class TransportFilesError extends RealmError {
  readonly code = 'REALM_TRANSPORT_FILES';
}

/** By the name of its endpoint; endpoints that are plain on both sides have none. */
export type PlannedTransports = ReadonlyMap<string, EndpointTransport>;

/** The transports of all endpoints. Their code is loaded only where an endpoint asks for it: it is large. */
export class Transports {
  readonly #context: TransportContext;
  readonly #requested = new WeakMap<EndpointTransport, string>();
  #running: PlannedTransports = new Map();

  constructor(context: TransportContext) {
    this.#context = context;
  }

  /** Those for `configs`: what an endpoint has already and asks for again stays, the others are read. */
  async planned(configs: readonly EndpointConfig[]): Promise<PlannedTransports> {
    const wanted = configs.filter(hasTransport);
    const planned = await Promise.all(
      wanted.map(async (config) => [config.name, await this.#transport(config)] as const),
    );
    return new Map(planned);
  }

  /** What is wrong with the files of those of `planned` that do not run yet, each as one line. */
  problems(planned: PlannedTransports): readonly string[] {
    return [...planned]
      .filter(([name, transport]) => this.#running.get(name) !== transport && !transport.isUsable)
      .map(([name, { problem }]) => `endpoint "${name}": ${problem}`);
  }

  /** Puts `planned` in place of those before. */
  replace(planned: PlannedTransports): void {
    const before = this.#running;
    this.#running = planned;
    for (const [name, transport] of planned) if (before.get(name) !== transport) transport.watch();
    for (const [name, transport] of before) if (planned.get(name) !== transport) transport.stop();
  }

  /** Drops what of `planned` does not run. */
  discard(planned: PlannedTransports): void {
    for (const [name, transport] of planned) if (this.#running.get(name) !== transport) transport.stop();
  }

  /** Follows no files any more. */
  stop(): void {
    for (const transport of this.#running.values()) transport.stop();
  }

  async #transport(config: EndpointConfig): Promise<EndpointTransport> {
    const asked = JSON.stringify([config.listenTransport, config.remoteTransport]);
    const running = this.#running.get(config.name);
    if (running !== undefined && this.#requested.get(running) === asked) return running;
    const { loadTransport } = await import('./watched-transport.ts');
    const transport = await loadTransport(config, this.#context);
    this.#requested.set(transport, asked);
    return transport;
  }
}

/** Whether an endpoint is more than plain TCP on either side; UDP never is. */
export function hasTransport({ network, listenTransport, remoteTransport }: EndpointConfig): boolean {
  return network.tcp && (listenTransport !== undefined || remoteTransport !== undefined);
}

/** What is wrong with the files that the transports of `endpoints` name, each as one line. */
export async function transportProblems(
  endpoints: readonly EndpointConfig[],
  context: TransportContext,
): Promise<readonly string[]> {
  const transports = new Transports(context);
  return transports.problems(await transports.planned(endpoints));
}
