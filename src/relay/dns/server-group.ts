import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { DnsQuestion, Reply } from './message.ts';
import { NameServer, type ServerAddress } from './name-server.ts';

/** For how long a silent server is asked after the others. */
const avoidMs = 30_000;

/** How name servers are asked: the words of resolv.conf(5). */
export type ServerOptions = {
  /** How long each server has before the next is asked, too. */
  readonly timeoutMs: number;
  /** How often each server is asked. */
  readonly attempts: number;
  /** Begin with another server each time. */
  readonly rotate: boolean;
  readonly isTcpOnly: boolean;
};

/** A reply that settles a question. */
export type Settled = Extract<Reply, { kind: 'addresses' | 'nothing' | 'alias' }>;

/** No server settled a question. */
export class ServersFailure extends Error {
  /** Whether no server replied at all. */
  readonly isSilence: boolean;

  constructor(reason: string, isSilence: boolean) {
    super(reason);
    this.isSilence = isSilence;
  }
}

/** The name servers of a configuration, asked one after the other, as resolv.conf(5) describes. */
export class ServerGroup {
  readonly #servers: readonly NameServer[];
  readonly #options: ServerOptions;
  readonly #clock: Clock;
  #turn = 0;

  /** @param addresses  at least one. */
  constructor(addresses: readonly ServerAddress[], options: ServerOptions, clock: Clock) {
    this.#servers = addresses.map((address) => new NameServer(address, options.isTcpOnly));
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * Asks until a server settles the question.
   *
   * @param signal  ends it.
   * @throws ServersFailure if none does.
   */
  ask(question: DnsQuestion, signal: AbortSignal): Promise<Settled> {
    const { timeoutMs, attempts } = this.#options;
    const round = this.#order();
    const servers = Array.from({ length: attempts }, () => round).flat();
    const query = new Query(question, { servers, timeoutMs, clock: this.#clock });
    signal.addEventListener('abort', query.end, { once: true });
    if (signal.aborted) query.end();
    return query.settled.finally(() => {
      signal.removeEventListener('abort', query.end);
    });
  }

  /** The configured order, but for servers that were silent: those that answer spare the clients the wait. */
  #order(): readonly NameServer[] {
    const start = this.#options.rotate ? this.#turn : 0;
    this.#turn = (this.#turn + 1) % this.#servers.length;
    const all = [...this.#servers.slice(start), ...this.#servers.slice(0, start)];
    const nowMs = this.#clock.monotonicMs();
    const isAvoided = ({ avoidedUntilMs }: NameServer): boolean => avoidedUntilMs > nowMs;
    return [...all.filter((each) => !isAvoided(each)), ...all.filter(isAvoided)];
  }
}

type QueryContext = {
  /** In the order in which to ask; each once per attempt. */
  readonly servers: readonly NameServer[];
  readonly timeoutMs: number;
  readonly clock: Clock;
};

/** One question to servers in turn. A server that was asked before may still answer while the next is asked. */
class Query {
  readonly settled: Promise<Settled>;
  readonly #outcome = Promise.withResolvers<Settled>();
  readonly #question: DnsQuestion;
  readonly #context: QueryContext;
  readonly #unasked: NameServer[];
  readonly #failed = new Set<NameServer>();
  readonly #stops: (() => void)[] = [];
  /** The one that was asked last. */
  #current: NameServer | undefined;
  #reason: string | undefined;
  #stopTimer: () => void = () => undefined;

  constructor(question: DnsQuestion, context: QueryContext) {
    this.#question = question;
    this.#context = context;
    this.#unasked = [...context.servers];
    this.settled = this.#outcome.promise;
    this.#askNext();
  }

  /** Waits for no reply any more; `settled` rejects if it is pending. */
  readonly end = (): void => {
    this.#stop();
    this.#outcome.reject(new Error('the lookup was cancelled'));
  };

  #askNext(): void {
    this.#stopTimer();
    const server = this.#unasked.find((each) => !this.#failed.has(each));
    if (server === undefined) {
      this.#stop();
      const isSilence = this.#reason === undefined;
      this.#outcome.reject(new ServersFailure(this.#reason ?? 'they do not answer', isSilence));
      return;
    }
    this.#unasked.splice(0, this.#unasked.indexOf(server) + 1);
    this.#ask(server);
  }

  #ask(server: NameServer): void {
    const { clock, timeoutMs } = this.#context;
    this.#current = server;
    this.#stopTimer = clock.after(timeoutMs, () => {
      server.avoidedUntilMs = clock.monotonicMs() + avoidMs;
      this.#askNext();
    });
    const stop = server.ask(this.#question, {
      onReply: (reply) => {
        server.avoidedUntilMs = 0;
        if (reply.kind === 'failure') this.#fail(server, reply.reason);
        else this.#settle(reply);
      },
      onError: (error) => {
        this.#fail(server, asError(error).message);
      },
    });
    this.#stops.push(stop);
  }

  /**
   * The next server is asked at once, unless it has been already. One that fails is not asked again, but for SERVFAIL, which
   * may pass (RFC 2308, section 7.1): it is asked in each attempt, as the system's resolver does.
   */
  #fail(server: NameServer, reason: string): void {
    this.#reason = reason;
    if (reason !== 'SERVFAIL') this.#failed.add(server);
    if (server === this.#current) this.#askNext();
  }

  #settle(reply: Settled): void {
    this.#stop();
    this.#outcome.resolve(reply);
  }

  #stop(): void {
    this.#stopTimer();
    this.#unasked.length = 0;
    for (const stop of this.#stops.splice(0)) stop();
  }
}
