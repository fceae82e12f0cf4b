/**
 * The limits room: which clients may come, how many, and for how long.
 *
 * The *source filter* admits clients by address. The *connection limiter* of an endpoint serves clients up to its
 * limit; the others wait in its *queue*. If the limit applies to several processes together, one of them grants
 * *permits* to the others. The *descriptor budget* counts the file descriptors that clients use, and the *descriptor
 * guard* pauses all TCP listeners while it is used up. The *idle sweep* ends what has been idle for too long.
 *
 * Guarantee: no client is dropped silently. It waits, in a queue or in the kernel, or it is reset and counted, and each
 * incident is logged when it starts and when it ends.
 */
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientText } from '../../lib/client-address.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Accepted } from '../net/channel.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { clientDescriptors, type DescriptorBudget } from './descriptor-budget.ts';

/** The share of one process in a connection limit that applies to several processes together. */
export type Permits = {
  /** How many connections this process may serve. */
  readonly granted: number;
  /** To be called whenever a client came or went: requests permits that are missing, returns those not needed. */
  readonly rebalance: (clients: { readonly active: number; readonly waiting: number }) => void;
};

/** The endpoint that permits are granted to. */
export type PermitClient = {
  /** TCP connections that all processes together may serve at a time; 0 = no limit. */
  readonly limit: () => number;
  readonly active: () => number;
  /** More permits were granted: serves clients that wait. */
  readonly dequeue: () => void;
  /** Not even waiting is possible for the last `count` clients of the queue. */
  readonly reject: (count: number) => void;
};

/** What a connection limiter needs of its endpoint. */
export type ConnectionLimiterContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly budget: DescriptorBudget;
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
  /** Connections that are being served. */
  readonly active: () => number;
  readonly permits?: (endpoint: string, client: PermitClient) => Permits;
};

/** A client in the queue, and what serves it. */
type QueuedClient = { readonly accepted: Accepted; readonly serve: () => void };

/**
 * Limits the TCP connections of an endpoint. Clients beyond the limit wait, neither read nor dialled, and are served
 * oldest first; clients beyond `maxWaiting` are reset. Each incident is logged when it starts and when it ends.
 */
export class ConnectionLimiter {
  /** Clients that were reset because they could not even wait. */
  refused = 0;
  readonly #context: ConnectionLimiterContext;
  #queue: QueuedClient[] = [];
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
   * @param accepted  just accepted; the limiter owns it until it calls `serve`.
   * @param serve     serves the client, now or once the limit allows it; `release` is to be called at its end.
   */
  admit(accepted: Accepted, serve: () => void): void {
    const { budget } = this.#context;
    if (!budget.hasRoom(clientDescriptors)) {
      this.#resetClient(accepted, 'DescriptorsShort', 'file descriptor limit reached, clients are reset');
      return;
    }
    if (this.waiting > 0 || !this.#isBelowLimit()) this.#queueOrReset({ accepted, serve });
    else {
      budget.take(clientDescriptors);
      serve();
    }
    this.#rebalance();
  }

  /** A client that was served is gone. */
  release(): void {
    this.#rebalance();
    this.#context.budget.release(clientDescriptors);
    this.dequeue();
    this.#endIncident();
  }

  /** Serves clients that wait, as long as the limit allows it. */
  dequeue(): void {
    while (this.#isBelowLimit()) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      first.serve();
      this.#resolveIdle();
    }
  }

  /** Resets every client that waits. */
  cut(): void {
    this.#resetLast(this.waiting);
    this.#rebalance();
  }

  /** Resets the clients that wait and for which `mayStay` is false. */
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

  /** Resolves when no client waits. */
  async idle(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  /** With permits the process that grants them limits the queue. */
  #mayQueue(): boolean {
    return this.#grantedLimit !== undefined || this.waiting < this.#context.config().network.maxWaiting;
  }

  #isBelowLimit(): boolean {
    return this.#limit === 0 || this.#context.active() < (this.#grantedLimit ?? this.#limit);
  }

  get #limit(): number {
    return this.#context.config().network.maxConnections;
  }

  /** Undefined if there is no limit, or it applies to this process alone. */
  get #grantedLimit(): number | undefined {
    return this.#limit === 0 ? undefined : this.#permits?.granted;
  }

  #rebalance(): void {
    this.#permits?.rebalance({ active: this.#context.active(), waiting: this.waiting });
  }

  #reject(count: number): void {
    this.refused += this.#resetLast(count);
  }

  /** @returns how many of `count` there were. */
  #resetLast(count: number): number {
    const last = count === 0 ? [] : this.#queue.splice(-count);
    for (const { accepted } of last) accepted.reset();
    this.#releaseWaiting(last.length);
    return last.length;
  }

  /** Frees the descriptors of `count` clients that waited and were reset. */
  #releaseWaiting(count: number): void {
    this.#resolveIdle();
    this.#context.budget.release(clientDescriptors * count);
  }

  #queueOrReset(client: QueuedClient): void {
    if (this.#mayQueue()) this.#enqueue(client);
    else this.#resetForFullQueue(client.accepted);
  }

  #enqueue(client: QueuedClient): void {
    const { budget, log, config } = this.#context;
    const { address, port } = client.accepted.remote;
    log.debug({ endpoint: config().name, client: clientText(address, port) }, 'client queued');
    if (this.#grantedLimit === undefined) this.#logIncident().waited += 1; // else the granting process logs it
    budget.take(clientDescriptors);
    this.#queue.push(client);
  }

  #resetForFullQueue(accepted: Accepted): void {
    const incident = this.#logIncident();
    incident.refused += 1;
    this.#resetClient(accepted, 'TooManyWait', 'queue full, clients are reset');
    if (incident.refused > 1) return;
    const { name: endpoint, network } = this.#context.config();
    this.#context.log.warn(
      { endpoint, waiting: this.waiting, maxWaiting: network.maxWaiting },
      'queue full, resetting clients',
    );
  }

  #logIncident(): { waited: number; refused: number } {
    if (this.#incident !== undefined) return this.#incident;
    const { active, config, log } = this.#context;
    log.warn({ endpoint: config().name, connections: active() }, 'connection limit reached');
    this.#recordError('ConnectionLimit', 'connection limit reached, clients are queued');
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
      'connection limit no longer reached',
    );
    this.#incident = undefined;
  }
}
