import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { RpcClient, isCall, isNote, LostError } from './rpc.ts';
import type { CallName, Calls, Message, Note, WorkerReport } from './messages.ts';

/** A worker that exceeds one of these is killed: any call, the call that cuts everything, and its exit. */
const callTimeoutMs = 30_000;
const cutTimeoutMs = 3000;
const exitTimeoutMs = 1000;
/** After this its previous report counts. */
const reportTimeoutMs = 1000;

/** What a worker process works with. */
export type WorkerProcessContext = {
  readonly log: Logger;
  readonly clock: Clock;
  /** Starts this program once more, as a worker. */
  readonly fork: () => ChildProcess;
  readonly onNote: (worker: WorkerProcess, note: Note) => void;
  /** Called once, when the process has ended, requested or not. */
  readonly onLost: (worker: WorkerProcess, how: string) => void;
};

/** A worker process, as its parent controls it. */
export class WorkerProcess {
  /** Its latest report. */
  report: WorkerReport = {
    load: 0,
    descriptorsShort: 0,
    logLinesDropped: 0,
    memory: { budgetBytes: 0, usedBytes: 0, dropped: 0 },
    errors: [],
    endpoints: [],
  };
  readonly #context: WorkerProcessContext;
  readonly #child: ChildProcess;
  readonly #rpc: RpcClient;
  readonly #ended = Promise.withResolvers<undefined>();
  #isLost = false;

  constructor(context: WorkerProcessContext) {
    this.#context = context;
    this.#child = context.fork();
    this.#rpc = new RpcClient((message, handle) => {
      this.#send(message, handle);
    });
    this.#child.on('message', (message) => {
      this.#receive(message as Message);
    });
    this.#child.once('exit', (code, signal) => {
      this.#onExit(signal ?? `exit code ${String(code)}`);
    });
    this.#child.on('error', (error) => {
      this.kill();
      this.#onExit(asError(error).message);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** As `RpcClient.call`; kills a worker that exceeds its time. */
  async call<Name extends CallName>(
    name: Name,
    params: Calls[Name]['params'],
    handle?: object,
  ): Promise<Calls[Name]['result']> {
    const stopTimer = this.#context.clock.after(name === 'cut' ? cutTimeoutMs : callTimeoutMs, () => {
      this.#context.log.error({ worker: this.pid, call: name }, 'worker not responding, killing it');
      this.kill();
    });
    try {
      return await this.#rpc.call(name, params, handle);
    } finally {
      stopTimer();
    }
  }

  /** Resolves when nothing is open in it; has no timeout. */
  async idle(): Promise<void> {
    await this.#rpc.call('idle', undefined).catch(() => undefined); // a lost worker is idle, too
  }

  /** Brings `report` up to date. */
  async refresh(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stopTimer = this.#context.clock.after(reportTimeoutMs, () => {
      resolve(undefined);
    });
    const report = this.#rpc.call('refresh', undefined).catch(() => undefined);
    this.report = (await Promise.race([report, promise])) ?? this.report;
    stopTimer();
  }

  send(note: Note): void {
    this.#send(note);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends it, by force if it does not exit in time. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const stopTimer = this.#context.clock.after(exitTimeoutMs, () => {
      this.kill();
    });
    await this.#ended.promise;
    stopTimer();
  }

  #send(message: Message, handle?: object): void {
    if (!this.#child.connected) return; // `onLost` reports that
    const socket = handle as Parameters<ChildProcess['send']>[1];
    this.#child.send(message, socket, {}, () => undefined);
  }

  #receive(message: Message): void {
    if (isNote(message)) this.#context.onNote(this, message);
    else if (!isCall(message)) this.#rpc.receive(message);
  }

  #onExit(how: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#rpc.close(new LostError(`worker ${String(this.pid)} is gone: ${how}`));
    this.#ended.resolve(undefined);
    this.#context.onLost(this, how);
  }
}
