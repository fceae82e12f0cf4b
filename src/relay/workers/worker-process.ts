import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { RpcClient, isCall, isNote, LostError } from './rpc.ts';
import type { CallName, Calls, Message, Note, WorkerReport } from './messages.ts';

/** How long a worker has for an answer before it is killed, when all shall end, and for its end. */
const callTimeoutMs = 30_000;
const cutMs = 3000;
const endMs = 1000;
/** How long it has for its report; then its last one counts. */
const reportMs = 1000;

/** What a worker process needs of its parent. */
export type WorkerProcessContext = {
  readonly log: Logger;
  readonly clock: Clock;
  /** Starts the program once more, as a worker. */
  readonly fork: () => ChildProcess;
  readonly onNote: (worker: WorkerProcess, note: Note) => void;
  /** Told once, when the process has ended, whoever wanted it. */
  readonly onLost: (worker: WorkerProcess, how: string) => void;
};

/** A worker, as its parent sees it. */
export class WorkerProcess {
  /** Its last report. */
  report: WorkerReport = { load: 0, descriptorsShort: 0, errors: [], endpoints: [] };
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

  /** As `RpcClient.call`; a worker that does not answer in time is killed. */
  async call<Name extends CallName>(
    name: Name,
    params: Calls[Name]['params'],
    handle?: object,
  ): Promise<Calls[Name]['result']> {
    const stopTimer = this.#context.clock.after(name === 'cut' ? cutMs : callTimeoutMs, () => {
      this.#context.log.error({ worker: this.pid, call: name }, 'worker does not answer, ending it');
      this.kill();
    });
    try {
      return await this.#rpc.call(name, params, handle);
    } finally {
      stopTimer();
    }
  }

  /** Resolves when nothing is open in it, however long that takes. */
  async idle(): Promise<void> {
    await this.#rpc.call('idle', undefined).catch(() => undefined); // it may be gone, which is idle, too
  }

  /** Brings `report` up to date. */
  async refresh(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stopTimer = this.#context.clock.after(reportMs, () => {
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

  /** Ends it, whatever it does. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const stopTimer = this.#context.clock.after(endMs, () => {
      this.kill();
    });
    await this.#ended.promise;
    stopTimer();
  }

  #send(message: Message, handle?: object): void {
    if (!this.#child.connected) return; // its end is told by itself
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
