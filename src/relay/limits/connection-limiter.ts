import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Accepted } from '../net/channel.ts';
import { clientText } from '../../lib/client-address.ts';
import { clientDescriptors, type DescriptorBudget } from './descriptor-budget.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** Places of a connection limit that holds for several processes, as they are lent to one of them. */
export type Permits = {
  /** How many connections may be served. */
  readonly granted: number;
  /** To be told whenever somebody came or went: asks for what is missing, gives back what is not needed. */
  readonly rebalance: (clients: { readonly active: number; readonly waiting: number }) => void;
};

/** Who has a lease. */
export type PermitClient = {
  /** TCP connections that may be served at a time by all processes; 0 = no limit. */
  readonly limit: () => number;
  readonly active: () => number;
  /** More is lent now: serves who wait. */
  readonly dequeue: () => void;
  /** There is no place even to wait for the last `count`. */
  readonly reject: (count: number) => void;
};

/** What a gate needs of its endpoint. */
export type ConnectionLimiterContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly budget: DescriptorBudget;
  /** The endpoint's, which may change. */
  readonly config: () => EndpointConfig;
  /** Connections that are being served. */
  readonly active: () => number;
  /** Serves a client of a listening port; `release` is called when it has gone. */
  readonly serve: (accepted: Accepted, port: number) => void;
  readonly permits?: (endpoint: string, client: PermitClient) => Permits;
};

/**
 * Where accepted TCP clients of an endpoint come in. Those beyond its connection limit wait, neither read nor
 * dialled, oldest first; those beyond `maxWaiting` are reset. Each episode is told once at its begin and once at its end.
 */
export class ConnectionLimiter {
  /** Clients that were reset since there was no place even to wait. */
  refused = 0;
  readonly #context: ConnectionLimiterContext;
  #queue: { readonly accepted: Accepted; readonly port: number }[] = [];
  readonly #idlers: (() => void)[] = [];
  readonly #permits: Permits | undefined;
  #incident: { waited: number; refused: number } | undefined;

  constructor(context: ConnectionLimiterContext) {
    this.#context = context;
    this.#permits = context.permits?.(context.config().name, {
      limit: () => this.#limit,
      active: context.active,
      dequeue: () => {
        this.dequeue();
        this.#rebalance();
      },
      reject: (count) => {
        this.#reject(count);
      },
    });
  }

  /** Clients that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * @param accepted  just accepted; the gate owns it until it is served.
   * @param port      the listening port, as configured.
   */
  admit(accepted: Accepted, port: number): void {
    const { budget } = this.#context;
    if (!budget.hasRoom(clientDescriptors)) {
      this.#resetClient(accepted, 'DescriptorsShort', 'clients are reset, since file descriptors are short');
      return;
    }
    if (this.waiting > 0 || !this.#isBelowLimit()) this.#queueOrReset(accepted, port);
    else {
      budget.take(clientDescriptors);
      this.#context.serve(accepted, port);
    }
    this.#rebalance();
  }

  /** A client that was served has gone. */
  release(): void {
    this.#rebalance();
    this.#context.budget.release(clientDescriptors);
    this.dequeue();
    this.#endIncident();
  }

  /** Serves those who wait while there are places. */
  dequeue(): void {
    while (this.#isBelowLimit()) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      this.#context.serve(first.accepted, first.port);
      this.#resolveIdle();
    }
  }

  /** Resets all who wait. */
  cut(): void {
    this.#resetLast(this.waiting);
    this.#rebalance();
  }

  /** Resets those who wait and `mayStay` does not hold for. */
  keepOnly(mayStay: (accepted: Accepted) => boolean): void {
    const before = this.waiting;
    this.#queue = this.#queue.filter(({ accepted }) => {
      const stays = mayStay(accepted);
      if (!stays) accepted.reset();
      return stays;
    });
    if (this.waiting === before) return;
    this.#releaseWaiting(before - this.waiting);
    this.#rebalance();
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  #mayQueue(): boolean {
    return this.#grantedLimit !== undefined || this.waiting < this.#context.config().network.maxWaiting;
  }

  #isBelowLimit(): boolean {
    return this.#limit === 0 || this.#context.active() < (this.#grantedLimit ?? this.#limit);
  }

  get #limit(): number {
    return this.#context.config().network.maxConnections;
  }

  /** Undefined where the limit holds for this process alone, or there is none. */
  get #grantedLimit(): number | undefined {
    return this.#limit === 0 ? undefined : this.#permits?.granted;
  }

  #rebalance(): void {
    this.#permits?.rebalance({ active: this.#context.active(), waiting: this.waiting });
  }

  #reject(count: number): void {
    this.refused += this.#resetLast(count);
  }

  /** @returns how many there were of `count`. */
  #resetLast(count: number): number {
    const last = count === 0 ? [] : this.#queue.splice(-count);
    for (const { accepted } of last) accepted.reset();
    this.#releaseWaiting(last.length);
    return last.length;
  }

  /** So many of those who waited were reset. */
  #releaseWaiting(count: number): void {
    this.#resolveIdle();
    this.#context.budget.release(clientDescriptors * count);
  }

  #queueOrReset(accepted: Accepted, port: number): void {
    if (this.#mayQueue()) this.#enqueue(accepted, port);
    else this.#resetForFullQueue(accepted);
  }

  #enqueue(accepted: Accepted, port: number): void {
    const { budget, log, config } = this.#context;
    const client = clientText(accepted.remote.address, accepted.remote.port);
    log.debug({ endpoint: config().name, client }, 'client waits');
    if (this.#grantedLimit === undefined) this.#logIncident().waited += 1; // the one who lends tells of the limit
    budget.take(clientDescriptors);
    this.#queue.push({ accepted, port });
  }

  #resetForFullQueue(accepted: Accepted): void {
    const episode = this.#logIncident();
    episode.refused += 1;
    this.#resetClient(accepted, 'TooManyWait', 'clients are reset, since too many wait');
    if (episode.refused > 1) return;
    const { name: endpoint, network } = this.#context.config();
    this.#context.log.warn(
      { endpoint, waiting: this.waiting, maxWaiting: network.maxWaiting },
      'resetting clients, too many wait',
    );
  }

  #logIncident(): { waited: number; refused: number } {
    if (this.#incident !== undefined) return this.#incident;
    const { active, config, log } = this.#context;
    log.warn({ endpoint: config().name, connections: active() }, 'connection limit reached');
    this.#recordError('ConnectionLimit', 'connection limit reached, clients wait');
    this.#incident = { waited: 0, refused: 0 };
    return this.#incident;
  }

  #resetClient(accepted: Accepted, reason: string, message: string): void {
    accepted.reset();
    this.refused += 1;
    this.#recordError(reason, message);
  }

  #recordError(reason: string, message: string): void {
    const { errors, config } = this.#context;
    errors.add({ endpoint: config().name, side: 'relay', reason, error: { message } });
  }

  #resolveIdle(): void {
    if (this.waiting > 0) return;
    for (const resolve of this.#idlers.splice(0)) resolve();
  }

  #endIncident(): void {
    if (this.#incident === undefined || this.waiting > 0) return;
    if (this.#grantedLimit === undefined && !this.#isBelowLimit()) return;
    this.#context.log.info(
      { endpoint: this.#context.config().name, ...this.#incident },
      'clients are served at once again',
    );
    this.#incident = undefined;
  }
}
