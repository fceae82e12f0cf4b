import type { EndpointConfig } from '../../config/relay-config.ts';
import type { PlannedTransports } from '../transport/transports.ts';
import { Endpoint, type EndpointContext } from './endpoint.ts';

/** All endpoints with traffic: those of the configuration, and removed ones until their last connection has ended. */
export class Endpoints {
  readonly #context: EndpointContext;
  readonly #retireMs: number;
  readonly #retired = new Set<Endpoint>();
  #running = new Map<string, Endpoint>();
  #cut = 0;

  /** @param retireMs  how long the connections of a removed endpoint may go on. */
  constructor(context: EndpointContext, retireMs: number) {
    this.#context = context;
    this.#retireMs = retireMs;
  }

  /** The endpoints of the configuration, in its order. */
  get running(): readonly Endpoint[] {
    return [...this.#running.values()];
  }

  /** Open connections and associations, and clients that wait. */
  get active(): number {
    return this.#all.reduce((sum, { load }) => sum + load, 0);
  }

  /** How many were cut so far. */
  get cutCount(): number {
    return this.#cut;
  }

  /** The endpoints for `configs` by name: running ones keep their name, the others are new. */
  planned(configs: readonly EndpointConfig[], transports: PlannedTransports): Map<string, Endpoint> {
    return new Map(
      configs.map((config) => {
        const { name } = config;
        const running = this.#running.get(name);
        running?.addPorts(config);
        return [name, running ?? new Endpoint(config, this.#context, transports.get(name))];
      }),
    );
  }

  /** Replaces the running endpoints by `planned`; connections of removed ones may go on for a while. */
  replace(
    planned: Map<string, Endpoint>,
    configs: readonly EndpointConfig[],
    transports: PlannedTransports,
  ): void {
    for (const config of configs) planned.get(config.name)?.reconfigure(config, transports.get(config.name));
    const removed = this.running.filter(({ config }) => !planned.has(config.name));
    this.#running = planned;
    for (const endpoint of removed) this.#retire(endpoint);
  }

  /** Drops those of `planned` that do not run. */
  discard(planned: Map<string, Endpoint>): void {
    for (const [name, endpoint] of planned) if (this.#running.get(name) !== endpoint) endpoint.cut();
  }

  /** Resets every connection and ends every association. */
  cut(): void {
    this.#cut += this.active;
    for (const endpoint of this.#all) endpoint.cut();
  }

  /** Resolves when nothing is open. */
  async idle(): Promise<void> {
    await Promise.all(this.#all.map((endpoint) => endpoint.idle()));
  }

  get #all(): Endpoint[] {
    return [...this.#running.values(), ...this.#retired];
  }

  #retire(endpoint: Endpoint): void {
    const { clock, log } = this.#context;
    this.#retired.add(endpoint);
    endpoint.retire();
    const stopTimer = clock.after(this.#retireMs, () => {
      const fields = { endpoint: endpoint.config.name, connections: endpoint.load };
      log.warn(fields, 'closing the connections of a removed endpoint');
      endpoint.cut();
    });
    void endpoint.idle().then(() => {
      stopTimer();
      this.#retired.delete(endpoint);
    });
  }
}
