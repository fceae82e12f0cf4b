/**
 * The limits room: which clients may come, how many, and for how long.
 *
 * The *source filter* admits clients by address. The *client limit* bounds what one client has of an endpoint. The
 * *connection limiter* of an endpoint serves clients up to its limit; the others wait in its *queue*, which is fair by
 * client. A *client* is an IPv4 address or an IPv6 /64 (`clientNetwork`). The *descriptor budget* counts the file
 * descriptors that clients use, and the *memory budget* what they make the process keep in memory; threads share both. The
 * *descriptor guard* pauses all TCP listeners while either is used up. The *idle sweep* ends what has been idle for too
 * long.
 *
 * Guarantee: no client is dropped silently. It waits, in a queue or in the kernel, or it is reset and counted, and each
 * incident is logged when it starts and when it ends.
 */
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientNetwork, clientText } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Accepted } from '../net/channel.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { ClientLimit } from './client-limit.ts';
import { clientDescriptors, type DescriptorBudget } from './descriptor-budget.ts';
import { FairQueue } from './fair-queue.ts';

/** How often the queue is searched for clients that are gone. */
const searchMs = 10_000;

/** What a connection limiter needs of its endpoint. */
export type ConnectionLimiterContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly budget: DescriptorBudget;
  readonly clientLimit: ClientLimit;
  readonly clock: Clock;
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
  /** Connections that are being served. */
  readonly active: () => number;
};

/**
 * Serves a client, which was counted by the client limit as `countedAs`; undefined = not yet, since its PROXY header is
 * still to name it.
 */
export type Serve = (countedAs: string | undefined) => void;

/** A client in the queue, and what serves it. */
type QueuedClient = {
  readonly accepted: Accepted;
  readonly countedAs: string | undefined;
  readonly serve: Serve;
};

/**
 * Limits the TCP connections of an endpoint. Clients beyond the limit wait, neither read nor dialled. They are served in
 * turns, by client the oldest connection first. If the queue is full, the client with the most connections in it loses
 * its newest one, and if no other has more, the new one is reset. Each incident is logged when it starts and when it
 * ends.
 */
export class ConnectionLimiter {
  /** Clients that were reset because they could not even wait. */
  refused = 0;
  readonly #context: ConnectionLimiterContext;
  readonly #queue = new FairQueue<QueuedClient>();
  readonly #idlers: (() => void)[] = [];
  #stopSearching: (() => void) | undefined;
  #incident: { waited: number; refused: number } | undefined;

  constructor(context: ConnectionLimiterContext) {
    this.#context = context;
  }

  /** Clients that wait. */
  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * @param accepted  just accepted; the limiter owns it until it calls `serve`.
   * @param serve     serves the client, now or once the limit allows it; `release` is to be called at its end.
   */
  admit(accepted: Accepted, serve: Serve): void {
    const { budget, clientLimit, config } = this.#context;
    if (!budget.hasRoom(clientDescriptors)) {
      this.#resetClient(accepted, 'DescriptorsShort', 'file descriptor limit reached, clients are reset');
      return;
    }
    const client = clientNetwork(accepted.remote.address);
    const countedAs = config().network.acceptProxy === undefined ? client : undefined;
    if (countedAs !== undefined && !clientLimit.take(countedAs)) {
      accepted.reset();
      return;
    }
    if (this.waiting > 0 || !this.#isBelowLimit()) this.#queueOrReset(client, { accepted, countedAs, serve });
    else {
      budget.take(clientDescriptors);
      serve(countedAs);
    }
  }

  /** A client that was served is gone. @param countedAs  what the client limit counts it as. */
  release(countedAs: string | undefined): void {
    this.#uncount(countedAs);
    this.#context.budget.release(clientDescriptors);
    this.dequeue();
    this.#endIncident();
  }

  /** Serves clients that wait, as long as the limit allows it. */
  dequeue(): void {
    while (this.#isBelowLimit()) {
      const first = this.#queue.shift();
      if (first === undefined) break;
      if (first.accepted.isGone()) this.#resetQueued(first);
      else first.serve(first.countedAs);
      this.#resolveIdle();
    }
  }

  /** Resets every client that waits. */
  cut(): void {
    this.#resetLast(this.waiting);
  }

  /** Resets the clients that wait and for which `mayStay` is false. */
  keepOnly(mayStay: (accepted: Accepted) => boolean): void {
    this.#resetIf(({ accepted }) => !mayStay(accepted));
  }

  /** Resolves when no client waits. */
  async idle(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  #mayQueue(): boolean {
    return this.waiting < this.#context.config().network.maxWaiting;
  }

  #isBelowLimit(): boolean {
    return this.#limit === 0 || this.#context.active() < this.#limit;
  }

  get #limit(): number {
    return this.#context.config().network.maxConnections;
  }

  /** Resets `count` clients that wait, those with the most first. */
  #resetLast(count: number): void {
    for (let done = 0; done < count; done += 1) {
      const last = this.#queue.pop();
      if (last === undefined) return;
      this.#resetQueued(last);
    }
  }

  /** Resets the clients that wait and for which `isOver` is true. @returns how many. */
  #resetIf(isOver: (client: QueuedClient) => boolean): number {
    const removed = this.#queue.removeIf(isOver);
    for (const client of removed) this.#resetQueued(client);
    return removed.length;
  }

  /** Nobody reads the clients that wait, so only a search finds those that are gone, whose descriptors it frees. */
  #searchLater(): void {
    this.#stopSearching ??= this.#context.clock.after(searchMs, () => {
      this.#stopSearching = undefined;
      if (this.#resetIf(({ accepted }) => accepted.isGone()) > 0) this.#endIncident();
      if (this.waiting > 0) this.#searchLater();
    });
  }

  /** `client` has just left the queue: resets it, and frees its descriptors. */
  #resetQueued({ accepted, countedAs }: QueuedClient): void {
    accepted.reset();
    this.#uncount(countedAs);
    this.#resolveIdle();
    this.#context.budget.release(clientDescriptors);
  }

  #uncount(countedAs: string | undefined): void {
    if (countedAs !== undefined) this.#context.clientLimit.release(countedAs);
  }

  /** @param client  by which the queue is fair. */
  #queueOrReset(client: string, queued: QueuedClient): void {
    if (this.#mayQueue()) {
      this.#enqueue(client, queued);
      return;
    }
    this.#logFullQueue();
    if (!this.#queue.hasLongerThan(client)) {
      this.#uncount(queued.countedAs);
      queued.accepted.reset();
      return;
    }
    this.#resetLast(1);
    this.#enqueue(client, queued);
  }

  #enqueue(client: string, queued: QueuedClient): void {
    const { budget, log, config } = this.#context;
    const { address, port } = queued.accepted.remote;
    log.debug({ endpoint: config().name, client: clientText(address, port) }, 'client queued');
    this.#logIncident().waited += 1;
    budget.take(clientDescriptors);
    queued.accepted.keepAlive(config().network);
    this.#queue.push(client, queued);
    this.#searchLater();
  }

  /** Records that one client is reset, since the queue is full. */
  #logFullQueue(): void {
    const incident = this.#logIncident();
    incident.refused += 1;
    this.refused += 1;
    this.#recordError('TooManyWait', 'queue full, clients are reset');
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
    this.#stopSearching?.();
    this.#stopSearching = undefined;
    for (const resolve of this.#idlers.splice(0)) resolve();
  }

  #endIncident(): void {
    if (this.#incident === undefined || this.waiting > 0 || !this.#isBelowLimit()) return;
    this.#context.log.info(
      { endpoint: this.#context.config().name, ...this.#incident },
      'connection limit no longer reached',
    );
    this.#incident = undefined;
  }
}
