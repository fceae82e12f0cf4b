import { servedHosts } from '../../api/sni.ts';
import { clientNetwork } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import { matchingName } from '../../lib/server-name.ts';
import { clientDescriptors, type DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import { isAllowed } from '../limits/source-filter.ts';
import type { Accepted } from '../net/channel.ts';
import { WaitingClient } from '../transport/waiting-client.ts';
import type { Endpoint } from './endpoint.ts';

/** How long a ClientHello may take if `tcp_timeout` is 0: as long as listener filters of Envoy have by default. */
const unlimitedMs = 15_000;

/** What a hello router works with. */
export type HelloRouterContext = {
  readonly clock: Clock;
  readonly budget: DescriptorBudget;
  readonly memory: MemoryBudget;
};

/** The endpoints of a port, which TLS clients choose from by name; at least one, the first of which counts who is turned away. */
export type SharedBy = readonly [Endpoint, ...Endpoint[]];

/**
 * Leads the clients of a listening socket to one of the endpoints that share it, by the name in their ClientHello. Until that
 * is read, a client counts as one of its address, of all that wait here.
 */
export class HelloRouter {
  readonly #context: HelloRouterContext;
  /** The client that has waited longest comes first. */
  readonly #waiting = new Map<WaitingClient, string>();
  readonly #perClient = new Map<string, number>();
  readonly #idlers: (() => void)[] = [];
  #endpoints: SharedBy;
  #routes: ReadonlyMap<string, Endpoint> = new Map();

  constructor(endpoints: SharedBy, context: HelloRouterContext) {
    this.#context = context;
    this.#endpoints = endpoints;
    this.share(endpoints);
  }

  /** Clients whose ClientHello is awaited. */
  get load(): number {
    return this.#waiting.size;
  }

  /** Leads clients to `endpoints` from now on, those that wait, too. */
  share(endpoints: SharedBy): void {
    this.#endpoints = endpoints;
    this.#routes = new Map(
      endpoints.flatMap((endpoint) => {
        const { sni } = endpoint.config;
        return sni === undefined ? [] : servedHosts(sni).map((host) => [host, endpoint] as const);
      }),
    );
  }

  /** Reads the ClientHello of a client of the listening port `port`, and has its endpoint serve it. */
  serve(accepted: Accepted, port: number): void {
    const [first] = this.#endpoints;
    const { budget, memory, clock } = this.#context;
    // An endpoint that does not serve it anyway resets it, and counts why.
    if (!this.#mayServe(accepted) || !budget.hasRoom(clientDescriptors)) {
      first.serve(accepted, port);
      return;
    }
    const client = this.#acceptsProxy ? '' : clientNetwork(accepted.remote.address);
    if (!this.#takeClient(client)) {
      first.refuseMany(accepted);
      return;
    }
    budget.take(clientDescriptors);
    const waiting: WaitingClient = new WaitingClient(accepted, {
      clock,
      memory,
      settings: first.config.network,
      acceptsProxy: this.#acceptsProxy,
      timeoutMs: this.#timeoutMs,
      onHello: ({ serverName }, ready) => {
        const endpoint = this.#endpointFor(serverName);
        if (endpoint === undefined) return false;
        this.#forget(waiting);
        endpoint.serve(ready, port);
        this.#resolveIdle();
        return true;
      },
      onRefused: (error) => {
        this.#endpoints[0].helloRefused(accepted.remote, error);
      },
      onClosed: () => {
        this.#forget(waiting);
        this.#resolveIdle();
      },
    });
    this.#waiting.set(waiting, client);
    waiting.start();
  }

  /** Resets every client that waits. */
  cut(): void {
    for (const client of [...this.#waiting.keys()]) client.cut();
  }

  /** Resolves when none waits. */
  async idle(): Promise<void> {
    if (this.load > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  /** All of them, or none (`sharingRemedy`). */
  get #acceptsProxy(): boolean {
    return this.#endpoints[0].config.network.acceptProxy !== undefined;
  }

  /** How long a ClientHello may take: as long as the longest handshake that an endpoint allows. */
  get #timeoutMs(): number {
    return Math.max(...this.#endpoints.map(({ config }) => config.network.tcpTimeoutMs || unlimitedMs));
  }

  /** Whether there is an endpoint that may serve it. */
  #mayServe({ remote }: Accepted): boolean {
    return (
      this.#acceptsProxy || this.#endpoints.some(({ config }) => isAllowed(config.network, remote.address))
    );
  }

  /** Counts one more of `client`, unless as many wait as any of the endpoints would serve. */
  #takeClient(client: string): boolean {
    if (client === '') return true;
    const limits = this.#endpoints.map(({ config }) => config.network.maxConnectionsPerClient);
    const count = this.#perClient.get(client) ?? 0;
    if (!limits.includes(0) && count >= Math.max(...limits)) return false;
    this.#perClient.set(client, count + 1);
    return true;
  }

  #endpointFor(serverName: string): Endpoint | undefined {
    const host = matchingName(serverName, (each) => this.#routes.has(each));
    return host === undefined ? undefined : this.#routes.get(host);
  }

  #forget(waiting: WaitingClient): void {
    const client = this.#waiting.get(waiting);
    if (client === undefined) return;
    this.#waiting.delete(waiting);
    this.#context.budget.release(clientDescriptors);
    const left = (this.#perClient.get(client) ?? 0) - 1;
    if (left > 0) this.#perClient.set(client, left);
    else this.#perClient.delete(client);
  }

  #resolveIdle(): void {
    if (this.load === 0) for (const resolve of this.#idlers.splice(0)) resolve();
  }
}
