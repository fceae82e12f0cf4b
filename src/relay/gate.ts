import type { EndpointConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Accepted } from './channel.ts';
import { clientText } from './client-address.ts';
import type { DescriptorBudget } from './descriptor-budget.ts';
import type { RecentErrors } from './recent-errors.ts';

/** Descriptors of a connection: the client's and the upstream's. */
const connectionDescriptors = 2;

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
  readonly clock: Clock;
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
 * Where TCP clients of an endpoint come in. Those beyond its connection limit, or beyond the descriptors of
 * the process, are accepted and wait, neither read nor dialled, oldest first; those beyond `maxWaiting` are
 * reset. Each episode is told once at its begin and once at its end.
 */
export class Gate {
  /** Clients that were reset since there was no place even to wait. */
  refused = 0;
  readonly #context: GateContext;
  #line: { readonly accepted: Accepted; readonly port: number; readonly sinceMs: number }[] = [];
  readonly #idlers: (() => void)[] = [];
  readonly #lease: Lease | undefined;
  #episode: { waited: number; refused: number } | undefined;

  constructor(context: GateContext) {
    this.#context = context;
    this.#lease = context.lease?.(context.config().name, {
      limit: () => this.#limit,
      active: context.active,
      serveWaiting: () => {
        context.budget.serveWaiting();
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

  /** Since when the first one waits. */
  get oldestMs(): number {
    return this.#line[0]?.sinceMs ?? Infinity;
  }

  /**
   * @param accepted  just accepted; the gate owns it until it is served.
   * @param port      the listening port, as configured.
   */
  enter(accepted: Accepted, port: number): void {
    if (this.waiting === 0 && this.#hasPlace(connectionDescriptors)) this.#serve(accepted, port);
    else if (this.#mayWait()) this.#wait(accepted, port);
    else this.#refuse(accepted);
    this.#cover();
  }

  /** A client that was served has gone. */
  leave(): void {
    this.#cover();
    this.#context.budget.giveBack(connectionDescriptors);
    this.#endEpisode();
  }

  /** Serves the first that waits, if there is room. @returns whether it did. */
  serveNext(): boolean {
    if (!this.#hasPlace(connectionDescriptors - 1)) return false; // it has one already
    const first = this.#line.shift();
    if (first === undefined) return false;
    this.#context.budget.take(-1);
    this.#serve(first.accepted, first.port);
    this.#afterLeaving();
    return true;
  }

  /** Resets all who wait. */
  cut(): void {
    this.keepOnly(() => false);
  }

  /** Resets those who wait and `mayStay` does not hold for. */
  keepOnly(mayStay: (accepted: Accepted) => boolean): void {
    const before = this.#line;
    this.#line = before.filter(({ accepted }) => {
      const stays = mayStay(accepted);
      if (!stays) accepted.reset();
      return stays;
    });
    const left = before.length - this.#line.length;
    if (left === 0) return;
    this.#afterLeaving();
    this.#context.budget.giveBack(left);
    this.#cover();
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.#idlers.push(resolve));
  }

  #hasPlace(descriptors: number): boolean {
    return this.#isBelowLimit() && this.#context.budget.hasRoom(descriptors);
  }

  #mayWait(): boolean {
    const { budget, config } = this.#context;
    const isTooLong = this.#lentLimit === undefined && this.waiting >= config().network.maxWaiting;
    return !isTooLong && budget.hasRoomToWait();
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
    const dismissed = this.#line.splice(-count);
    for (const { accepted } of dismissed) accepted.reset();
    this.refused += dismissed.length;
    this.#afterLeaving();
    this.#context.budget.giveBack(dismissed.length);
  }

  #serve(accepted: Accepted, port: number): void {
    this.#context.budget.take(connectionDescriptors);
    this.#context.serve(accepted, port);
  }

  #wait(accepted: Accepted, port: number): void {
    const { budget, clock, log, config } = this.#context;
    const client = clientText(accepted.remote.address, accepted.remote.port);
    log.debug({ endpoint: config().name, client }, 'client waits');
    const isForAnAnswer = this.#lentLimit !== undefined && budget.hasRoom(connectionDescriptors);
    if (!isForAnAnswer) this.#tellEpisode().waited += 1; // the one who lends tells of the limit
    budget.take(1);
    this.#line.push({ accepted, port, sinceMs: clock.monotonicMs() });
    budget.enter(this);
  }

  #refuse(accepted: Accepted): void {
    accepted.reset();
    this.refused += 1;
    const episode = this.#tellEpisode();
    episode.refused += 1;
    this.#remember('TooManyWait', 'clients are reset, since too many wait');
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
    const fields = { endpoint: config().name, connections: active() };
    const isShort = this.#lentLimit !== undefined || this.#isBelowLimit();
    const [reason, msg] = isShort
      ? ['DescriptorsShort', 'file descriptors are short']
      : ['ConnectionLimit', 'connection limit reached'];
    log.warn(fields, msg);
    this.#remember(reason, `${msg}, clients wait`);
    this.#episode = { waited: 0, refused: 0 };
    return this.#episode;
  }

  #remember(reason: string, message: string): void {
    const { errors, config } = this.#context;
    errors.add({ endpoint: config().name, side: 'relay', reason, error: { message } });
  }

  #afterLeaving(): void {
    if (this.waiting > 0) return;
    this.#context.budget.leave(this);
    for (const resolve of this.#idlers.splice(0)) resolve();
  }

  #endEpisode(): void {
    if (this.#episode === undefined || this.waiting > 0) return;
    const isShort = !this.#context.budget.hasRoom(connectionDescriptors);
    if (isShort || (this.#lentLimit === undefined && !this.#isBelowLimit())) return;
    this.#context.log.info(
      { endpoint: this.#context.config().name, ...this.#episode },
      'clients are served at once again',
    );
    this.#episode = undefined;
  }
}
