import type { RelayConfig } from '../../config/relay-config.ts';
import { systemClock } from '../../lib/clock.ts';
import { openFilesLimit } from '../../lib/open-files.ts';
import { createLogger, logDestination, type Logger } from '../../telemetry/logger.ts';
import type { EndpointAccount } from '../data-plane/data-plane.ts';
import type { OpenListener } from '../listener/listener.ts';
import { LocalCrew } from '../data-plane/local-data-plane.ts';
import { NameResolver } from '../dns/resolver.ts';
import { RecentErrors } from '../stats/recent-errors.ts';
import { tcpStack } from '../net/tcp-stack.ts';
import type { Answers } from './rpc.ts';
import { Leases } from './worker-permits.ts';
import type { Calls, Note, SocketId, WorkerAccount, WorkerStart } from './messages.ts';

/** The worker program's inside: does what its parent asks. */
export class Worker {
  readonly answers: Answers;
  readonly #log: Logger;
  readonly #names = new NameResolver(systemClock);
  readonly #errors = new RecentErrors(systemClock);
  readonly #leases: Leases;
  readonly #crew: LocalCrew;
  readonly #sockets = new Map<SocketId, OpenListener>();
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor({ log, retireMs }: WorkerStart, send: (note: Note) => void) {
    this.#log = createLogger(log.level, logDestination(log.output)).child({ worker: process.pid });
    this.#leases = new Leases(send);
    this.#crew = new LocalCrew({
      log: this.#log,
      errors: this.#errors,
      tcp: tcpStack(this.#log),
      clock: systemClock,
      lookup: this.#names.lookup,
      random: Math.random,
      openFiles: openFilesLimit(),
      retireMs,
      permits: this.#leases.lease,
      onRemoteEvent: (event) => {
        send({ note: 'remoteEvent', ...event });
      },
    });
    this.answers = this.#answers();
  }

  hear(note: Note): void {
    if (note.note === 'grant') this.#leases.grant(note);
    else if (note.note === 'dismiss') this.#leases.dismiss(note);
    else if (note.note === 'remoteStates') for (const each of note.states) this.#crew.adopt(each);
  }

  #answers(): Answers {
    const nothing = Promise.resolve(undefined);
    return {
      start: () => nothing,
      plan: (config) => this.#inTurn(() => this.#done(this.#crew.plan(config))),
      discard: () => this.#inTurn(() => this.#done(this.#crew.discard())),
      commit: (asked) => this.#inTurn(() => this.#commit(asked)),
      listen: (asked, handle) => this.#inTurn(() => this.#listen(asked, handle)),
      drain: async (id) => this.#done(this.#sockets.get(id)?.drain()),
      close: async (id) => {
        const socket = this.#sockets.get(id);
        this.#sockets.delete(id);
        return this.#done(socket?.close());
      },
      survey: async () => ({
        load: await this.#crew.survey(),
        descriptorsShort: this.#crew.descriptorsShort,
        errors: this.#errors.list,
        accounts: this.#crew.accounts.map(accountOf),
      }),
      idle: async () => this.#done(this.#crew.idle()),
      cut: () => {
        const before = this.#crew.cutCount;
        this.#crew.cut();
        return Promise.resolve(this.#crew.cutCount - before);
      },
    };
  }

  /** What builds on what was asked before begins when that is done. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lastTurn.then(work);
    this.#lastTurn = done.catch(() => undefined);
    return done;
  }

  async #done(work: Promise<void> | undefined): Promise<undefined> {
    await work;
    return undefined;
  }

  async #commit({ config, serves }: Calls['commit']['asked']): Promise<Calls['commit']['answer']> {
    const open = [...serves].flatMap(([id, name]) => {
      const socket = this.#sockets.get(id);
      return socket === undefined ? [] : [[socket, name] as const];
    });
    this.#configure(config);
    await this.#crew.commit(config, new Map(open));
    return this.#leases.reconfigure(new Set(config.endpoints.map(({ name }) => name)));
  }

  #configure({ dns, log }: RelayConfig): void {
    this.#names.configure(dns);
    this.#log.level = log.level === 'off' ? 'silent' : log.level;
  }

  async #listen(
    { id, ...rest }: Calls['listen']['asked'],
    handle?: object,
  ): Promise<Calls['listen']['answer']> {
    const onLost = (error: Error): never => {
      throw error; // the worker that follows has it again
    };
    const socket = await this.#crew.listen({ ...rest, onLost }, handle);
    this.#sockets.set(id, socket);
    const { address, port, families } = socket;
    return { address, port, families };
  }
}

/** Names what goes over the channel: an endpoint has it by getters, which a spread would lose. */
function accountOf(endpoint: EndpointAccount): WorkerAccount {
  const { health, connections, associations, waiting, refused, notAllowed, evicted } = endpoint;
  const { problem = '', isUsable = true } = endpoint.transport ?? {};
  const figures = { connections, associations, waiting, refused, notAllowed, evicted };
  return { name: endpoint.config.name, problem, isUsable, health, ...figures };
}
