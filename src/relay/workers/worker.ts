import type { RelayConfig } from '../../config/relay-config.ts';
import { systemClock } from '../../lib/clock.ts';
import { openFilesLimit } from '../../lib/open-files.ts';
import { createLogger, reopenLog, type Logger } from '../../telemetry/logger.ts';
import type { LogOutput } from '../../telemetry/log-output.ts';
import { logOutput } from '../../telemetry/log-outputs.ts';
import type { EndpointStats } from '../data-plane/data-plane.ts';
import type { OpenListener } from '../listener/listener.ts';
import { LocalDataPlane } from '../data-plane/local-data-plane.ts';
import { memoryBudgetBytes } from '../limits/memory-budget.ts';
import { NameResolver } from '../dns/resolver.ts';
import { RecentErrors } from '../stats/recent-errors.ts';
import type { BoundHandle } from '../net/channel.ts';
import { engineNamed } from '../net/engine.ts';
import type { RpcHandlers } from './rpc.ts';
import { WorkerPermits } from './worker-permits.ts';
import type { Calls, Note, SocketId, WorkerStats, WorkerStart } from './messages.ts';

/** The inside of a worker process: a data plane that its parent controls. */
export class Worker {
  readonly handlers: RpcHandlers;
  readonly #output: LogOutput;
  readonly #log: Logger;
  readonly #resolver: NameResolver;
  readonly #errors = new RecentErrors(systemClock);
  readonly #permits: WorkerPermits;
  readonly #dataPlane: LocalDataPlane;
  readonly #sockets = new Map<SocketId, OpenListener>();
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor({ log, retireMs, processes, engine }: WorkerStart, send: (note: Note) => void) {
    const fields = { worker: process.pid };
    this.#output = logOutput(log.output, fields);
    this.#log = createLogger(log.level, this.#output).child(fields);
    this.#resolver = new NameResolver({ clock: systemClock, log: this.#log });
    this.#permits = new WorkerPermits(send);
    this.#dataPlane = new LocalDataPlane({
      log: this.#log,
      errors: this.#errors,
      engine: engineNamed(engine),
      clock: systemClock,
      lookup: this.#resolver.lookup,
      random: Math.random,
      openFiles: openFilesLimit(),
      memoryBytes: memoryBudgetBytes(processes),
      retireMs,
      permits: this.#permits.permits,
      onRemoteEvent: (event) => {
        send({ note: 'remoteEvent', ...event });
      },
    });
    this.handlers = this.#newHandlers();
  }

  receive(note: Note): void {
    if (note.note === 'grant') this.#permits.grant(note);
    else if (note.note === 'deny') this.#permits.deny(note);
    else if (note.note === 'reopenLog') void reopenLog(this.#output, this.#log);
    else if (note.note === 'remoteStates') for (const each of note.states) this.#dataPlane.restore(each);
  }

  #newHandlers(): RpcHandlers {
    const nothing = Promise.resolve(undefined);
    return {
      start: () => nothing,
      plan: (config) => this.#inTurn(() => this.#done(this.#dataPlane.plan(config))),
      discard: () => this.#inTurn(() => this.#done(this.#dataPlane.discard())),
      commit: (params) => this.#inTurn(() => this.#commit(params)),
      listen: (params, handle) => this.#inTurn(() => this.#listen(params, handle)),
      drain: async (id) => this.#done(this.#sockets.get(id)?.drain()),
      close: async (id) => {
        const socket = this.#sockets.get(id);
        this.#sockets.delete(id);
        return this.#done(socket?.close());
      },
      refresh: async () => ({
        load: await this.#dataPlane.refresh(),
        descriptorsShort: this.#dataPlane.descriptorsShort,
        logLinesDropped: this.#output.droppedLines,
        memory: this.#dataPlane.memory,
        errors: this.#errors.list,
        endpoints: this.#dataPlane.endpointStats.map(workerStats),
      }),
      idle: async () => this.#done(this.#dataPlane.idle()),
      cut: () => {
        const before = this.#dataPlane.cutCount;
        this.#dataPlane.cut();
        return Promise.resolve(this.#dataPlane.cutCount - before);
      },
    };
  }

  /** Runs `work` after the previous calls, which it builds on. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lastTurn.then(work);
    this.#lastTurn = done.catch(() => undefined);
    return done;
  }

  async #done(work: Promise<void> | undefined): Promise<undefined> {
    await work;
    return undefined;
  }

  async #commit({ config, serves }: Calls['commit']['params']): Promise<Calls['commit']['result']> {
    const open = [...serves].flatMap(([id, name]) => {
      const socket = this.#sockets.get(id);
      return socket === undefined ? [] : [[socket, name] as const];
    });
    this.#configure(config);
    await this.#dataPlane.commit(config, new Map(open));
    return this.#permits.reconfigure(new Set(config.endpoints.map(({ name }) => name)));
  }

  #configure({ dns, log }: RelayConfig): void {
    this.#resolver.configure(dns);
    this.#log.level = log.level === 'off' ? 'silent' : log.level;
  }

  async #listen(
    { id, ...rest }: Calls['listen']['params'],
    handle?: object,
  ): Promise<Calls['listen']['result']> {
    const onLost = (error: Error): never => {
      throw error; // ends this worker; its successor opens the socket again
    };
    const socket = await this.#dataPlane.listen({ ...rest, onLost }, handle as BoundHandle | undefined);
    this.#sockets.set(id, socket);
    const { address, port, families } = socket;
    return { address, port, families };
  }
}

/** The parent has the configuration of the endpoint: its name is enough. */
function workerStats({ config, remoteNames: _, transport, ...stats }: EndpointStats): WorkerStats {
  const { problem, isUsable } = transport ?? { problem: '', isUsable: true };
  return { name: config.name, problem, isUsable, ...stats };
}
