import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Accepted } from '../net/channel.ts';
import { clientText } from '../../lib/client-address.ts';
import { clientDescriptors, type DescriptorBudget } from './descriptor-budget.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';

/** Places of a connection limit that holds for several processes, as they are lent to one of them. */
export type Lease = {
  /** How many connections may be served. */
  readonly held: number;
  /** To be told whenever somebody came or went: asks for what is missing, gives back what is not needed. */
  readonly cover: (clients: { readonly active: number; readonly waiting: number }) => void;
};

/** Who has a lease. */
export type Borrower = {
  /** TCP connections that may be served at a time by all processes; 0 = no limit. */
  readonly limit: () => number;
  readonly active: () => number;
  /** More is lent now: serves who wait. */
  readonly serveWaiting: () => void;
  /** There is no place even to wait for the last `count`. */
  readonly dismiss: (count: number) => void;
};

/** What a gate needs of its endpoint. */
export type GateContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly budget: DescriptorBudget;
  /** The endpoint's, which may change. */
  readonly config: () => EndpointConfig;
  /** Connections that are being served. */
  readonly active: () => number;
  /** Serves a client of a listening port; `Gate.leave` is to be called when it has gone. */
  readonly serve: (accepted: Accepted, port: number) => void;
  readonly lease?: (endpoint: string, borrower: Borrower) => Lease;
};

/**
 * Where accepted TCP clients of an endpoint come in. Those beyond its connection limit wait, neither read nor
 * dialled, oldest first; those beyond `maxWaiting` are reset. Each episode is told once at its begin and once at its end.
 */
export class Gate {
  /** Clients that were reset since there was no place even to wait. */
  refused = 0;
  readonly #context: GateContext;
  #line: { readonly accepted: Accepted; readonly port: number }[] = [];
  readonly #idlers: (() => void)[] = [];
  readonly #lease: Lease | undefined;
  #episode: { waited: number; refused: number } | undefined;

  constructor(context: GateContext) {
    this.#context = context;
    this.#lease = context.lease?.(context.config().name, {
      limit: () => this.#limit,
      active: context.active,
      serveWaiting: () => {
        this.serveWaiting();
        this.#cover();
      },
      dismiss: (count) => {
        this.#dismiss(count);
      },
    });
  }

  /** Clients that wait. */
  get waiting(): number {
    return this.#line.length;
  }

  /**
   * @param accepted  just accepted; the gate owns it until it is served.
   * @param port      the listening port, as configured.
   */
  enter(accepted: Accepted, port: number): void {
    const { budget } = this.#context;
    if (!budget.hasRoom(clientDescriptors)) {
      this.#turnAway(accepted, 'DescriptorsShort', 'clients are reset, since file descriptors are short');
      return;
    }
    if (this.waiting > 0 || !this.#isBelowLimit()) this.#waitOrRefuse(accepted, port);
    else {
      budget.take(clientDescriptors);
      this.#context.serve(accepted, port);
    }
    this.#cover();
  }

  /** A client that was served has gone. */
  leave(): void {
    this.#cover();
    this.#context.budget.giveBack(clientDescriptors);
    this.serveWaiting();
    this.#endEpisode();
  }

  /** Serves those who wait while there are places. */
  serveWaiting(): void {
    while (this.#isBelowLimit()) {
      const first = this.#line.shift();
      if (first === undefined) break;
      this.#context.serve(first.accepted, first.port);
      this.#afterLeaving();
    }
  }

  /** Resets all who wait. */
  cut(): void {
    this.#resetLast(this.waiting);
    this.#cover();
  }

  /** Resets those who wait and `mayStay` does not hold for. */
  keepOnly(mayStay: (accepted: Accepted) => boolean): void {
    const before = this.waiting;
    this.#line = this.#line.filter(({ accepted }) => {
      const stays = mayStay(accepted);
      if (!stays) accepted.reset();
      return stays;
    });
    if (this.waiting === before) return;
    this.#tellGone(before - this.waiting);
    this.#cover();
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  #mayWait(): boolean {
    return this.#lentLimit !== undefined || this.waiting < this.#context.config().network.maxWaiting;
  }

  #isBelowLimit(): boolean {
    return this.#limit === 0 || this.#context.active() < (this.#lentLimit ?? this.#limit);
  }

  get #limit(): number {
    return this.#context.config().network.maxConnections;
  }

  /** Undefined where the limit holds for this process alone, or there is none. */
  get #lentLimit(): number | undefined {
    return this.#limit === 0 ? undefined : this.#lease?.held;
  }

  #cover(): void {
    this.#lease?.cover({ active: this.#context.active(), waiting: this.waiting });
  }

  #dismiss(count: number): void {
    this.refused += this.#resetLast(count);
  }

  /** @returns how many there were of `count`. */
  #resetLast(count: number): number {
    const last = count === 0 ? [] : this.#line.splice(-count);
    for (const { accepted } of last) accepted.reset();
    this.#tellGone(last.length);
    return last.length;
  }

  /** So many of those who waited were reset. */
  #tellGone(count: number): void {
    this.#afterLeaving();
    this.#context.budget.giveBack(clientDescriptors * count);
  }

  #waitOrRefuse(accepted: Accepted, port: number): void {
    if (this.#mayWait()) this.#wait(accepted, port);
    else this.#refuse(accepted);
  }

  #wait(accepted: Accepted, port: number): void {
    const { budget, log, config } = this.#context;
    const client = clientText(accepted.remote.address, accepted.remote.port);
    log.debug({ endpoint: config().name, client }, 'client waits');
    if (this.#lentLimit === undefined) this.#tellEpisode().waited += 1; // the one who lends tells of the limit
    budget.take(clientDescriptors);
    this.#line.push({ accepted, port });
  }

  #refuse(accepted: Accepted): void {
    const episode = this.#tellEpisode();
    episode.refused += 1;
    this.#turnAway(accepted, 'TooManyWait', 'clients are reset, since too many wait');
    if (episode.refused > 1) return;
    const { name: endpoint, network } = this.#context.config();
    this.#context.log.warn(
      { endpoint, waiting: this.waiting, maxWaiting: network.maxWaiting },
      'resetting clients, too many wait',
    );
  }

  #tellEpisode(): { waited: number; refused: number } {
    if (this.#episode !== undefined) return this.#episode;
    const { active, config, log } = this.#context;
    log.warn({ endpoint: config().name, connections: active() }, 'connection limit reached');
    this.#remember('ConnectionLimit', 'connection limit reached, clients wait');
    this.#episode = { waited: 0, refused: 0 };
    return this.#episode;
  }

  #turnAway(accepted: Accepted, reason: string, message: string): void {
    accepted.reset();
    this.refused += 1;
    this.#remember(reason, message);
  }

  #remember(reason: string, message: string): void {
    const { errors, config } = this.#context;
    errors.add({ endpoint: config().name, side: 'relay', reason, error: { message } });
  }

  #afterLeaving(): void {
    if (this.waiting > 0) return;
    for (const resolve of this.#idlers.splice(0)) resolve();
  }

  #endEpisode(): void {
    if (this.#episode === undefined || this.waiting > 0) return;
    if (this.#lentLimit === undefined && !this.#isBelowLimit()) return;
    this.#context.log.info(
      { endpoint: this.#context.config().name, ...this.#episode },
      'clients are served at once again',
    );
    this.#episode = undefined;
  }
}
