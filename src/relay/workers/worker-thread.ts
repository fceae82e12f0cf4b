import { MessageChannel, receiveMessageOnPort, type MessagePort, type Worker } from 'node:worker_threads';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { clientIp } from '../../lib/client-address.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { ConnectionRemote, DecidingContext } from '../connection/connection.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import { ClientLimitError } from '../limits/client-limit.ts';
import type { Accepted } from '../net/channel.ts';
import { BackendRefusedError } from '../upstream/backends.ts';
import type { KnownOrder } from '../upstream/remote-order.ts';
import { hasTransport } from '../transport/transports.ts';
import { HandedConnection } from './handed-connection.ts';
import { KnownEndpoints } from './known-endpoints.ts';
import type { ConnectionId, Order, Refusal, Report, WorkerStart } from './messages.ts';
import { Outbox } from './outbox.ts';

/** A worker that does not answer for so long hangs. */
const hungMs = 30_000;
/** The same once it was told to cut a connection. */
const cutHungMs = 3000;
/** How long `refresh` waits. */
const refreshMs = 1000;
/** Remotes that a worker learns at a time, once it has tried the first. */
const batch = 8;
/** How many descriptors are recorded at most, by number. */
const maxRecorded = 1_048_576;

/** Starts a thread that runs `relay-worker.ts`. */
export type NewWorker = (start: WorkerStart) => Worker;

/** What a worker thread works with. */
export type WorkerThreadContext = {
  readonly clock: Clock;
  /** How many files the process may have open. */
  readonly openFiles: number;
  readonly newWorker: NewWorker;
  readonly start: Omit<WorkerStart, 'port' | 'openDescriptors'>;
  /** Called for each report that concerns more than one connection. */
  readonly onReport: (report: Report, worker: WorkerThread) => void;
  /** Called once, when the thread has ended and its connections are settled. @param connections  how many there were. */
  readonly onEnded: (why: Error, connections: number) => void;
};

/** A client to serve; the parameters of `ServingThreads.serve`. */
export type HandedClient = {
  readonly accepted: Accepted;
  readonly port: number;
  readonly config: EndpointConfig;
  readonly context: DecidingContext;
};

/** A connection, and what it was served with. */
type Handed = Omit<HandedClient, 'accepted'> & { readonly connection: HandedConnection };

/** A worker thread, as the main thread controls it. */
export class WorkerThread {
  /** Its number in this process. */
  readonly number: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<unknown>;
  readonly #context: WorkerThreadContext;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #outbox: Outbox<Order>;
  readonly #known: KnownEndpoints;
  readonly #openDescriptors: Uint8Array;
  readonly #handed = new Map<ConnectionId, Handed>();
  #lastId: ConnectionId = 0;
  #why: Error | undefined;
  /** What waits for a report, by its number. */
  readonly #waiting = new Map<number, () => void>();
  #lastSeq = 0;
  #isWatchedForCut = false;

  constructor(context: WorkerThreadContext) {
    const { port1, port2 } = new MessageChannel();
    this.#context = context;
    this.#port = port1;
    this.#outbox = new Outbox(port1);
    this.#known = new KnownEndpoints((order) => {
      this.#outbox.post(order);
    });
    this.#openDescriptors = new Uint8Array(new SharedArrayBuffer(Math.min(context.openFiles, maxRecorded)));
    this.#worker = context.newWorker({
      ...context.start,
      port: port2,
      openDescriptors: this.#openDescriptors,
    });
    this.number = this.#worker.threadId;
    port1.on('message', this.#receive);
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.ended = promise;
    this.#worker.on('error', (error) => (this.#why ??= asError(error)));
    this.#worker.once('exit', (code) => {
      this.#onExit(this.#why ?? new Error(`the thread ended with exit code ${String(code)}`));
      resolve(undefined);
    });
  }

  /** How many connections it serves. */
  get load(): number {
    return this.#handed.size;
  }

  /** The connection of a client, which the worker serves from its `start` on. */
  serve({ accepted, port, config, context }: HandedClient): HandedConnection {
    this.#lastId += 1;
    const id = this.#lastId;
    const post = (order: Order): void => {
      this.#outbox.post(order);
    };
    const { name: endpoint } = config;
    const cut = (): void => {
      post({ kind: 'cut', id });
      void this.#watchCut();
    };
    const connection = new HandedConnection(context, {
      cut,
      start: () => {
        this.#known.tell(config);
        const { address } = accepted.remote;
        const remotes = isOrderedLater(config) ? undefined : this.#ordered(handed, address, 1);
        if (remotes !== undefined) connection.acquireFirst();
        const { received } = accepted;
        const fd = accepted.handOver?.() ?? -1;
        this.#openDescriptors[fd] = 1; // the worker may end before it has it
        post({ kind: 'serve', id, fd, client: accepted.remote, endpoint, port, remotes, received });
      },
    });
    const handed = { connection, config, port, context };
    this.#handed.set(id, handed);
    return connection;
  }

  /** See `ServingThreads.configure`. */
  configure(endpoints: ReadonlyMap<string, EndpointConfig>): void {
    this.#known.update(endpoints);
  }

  post(order: Order): void {
    this.#outbox.post(order);
  }

  /** Processes what it has reported so far, at once. */
  sync(): void {
    for (let got = this.#next(); got !== undefined; got = this.#next()) this.#receive(got);
  }

  /** Has it report what its connections have carried; waits for a second at most. */
  async refresh(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const stopTimer = this.#context.clock.after(refreshMs, () => {
      resolve(undefined);
    });
    await Promise.race([this.#report(), promise]);
    stopTimer();
  }

  /** Stops it if it hangs. */
  watch(): Promise<void> {
    return this.#stopIfSilent(hungMs);
  }

  /** Ends it, with everything open in it. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }

  async #watchCut(): Promise<void> {
    if (this.#isWatchedForCut) return;
    this.#isWatchedForCut = true;
    await this.#stopIfSilent(cutHungMs);
    this.#isWatchedForCut = false;
  }

  async #stopIfSilent(limitMs: number): Promise<void> {
    const stopTimer = this.#context.clock.after(limitMs, () => {
      this.#why ??= new Error(`the thread has not answered for ${String(limitMs)} ms`);
      void this.#worker.terminate();
    });
    await Promise.race([this.#report(), this.ended]);
    stopTimer();
  }

  /** Resolves with its report, which comes after everything that it was told before. */
  #report(): Promise<unknown> {
    this.#lastSeq += 1;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#waiting.set(this.#lastSeq, () => {
      resolve(undefined);
    });
    this.post({ kind: 'report', seq: this.#lastSeq });
    return promise;
  }

  #next(): readonly Report[] | undefined {
    const got = receiveMessageOnPort(this.#port) as { readonly message: readonly Report[] } | undefined;
    return got?.message;
  }

  readonly #receive = (reports: readonly Report[]): void => {
    for (const report of reports) {
      if ('id' in report) this.#onReport(report);
      else if (report.kind === 'report') this.#onBytes(report);
      else this.#context.onReport(report, this);
    }
  };

  #onReport(report: Extract<Report, { id: ConnectionId }>): void {
    const handed = this.#handed.get(report.id);
    if (handed === undefined) return;
    const { connection } = handed;
    if (report.kind === 'dial') connection.onDial(report);
    else if (report.kind === 'dialled') connection.onDialled(report.waitedMs);
    else if (report.kind === 'opened') connection.onOpened(report.fd, report.remote);
    else if (report.kind === 'admit') void this.#admit(report, handed);
    else if (report.kind === 'order') this.#onOrder(report, handed);
    else {
      connection.fromClient.bytes = report.fromClientBytes;
      connection.fromUpstream.bytes = report.fromUpstreamBytes;
      this.#handed.delete(report.id);
      connection.settle(report.failure, report.durationMs);
    }
  }

  async #admit({ id, address }: Extract<Report, { kind: 'admit' }>, handed: Handed): Promise<void> {
    const error = await handed.context.admitSource(handed.connection, address, handed.port);
    this.post({ kind: 'admitted', id, refusal: error && refusalOf(error) });
  }

  #onOrder({ id, clientIp: address }: Extract<Report, { kind: 'order' }>, handed: Handed): void {
    const remotes = this.#ordered(handed, address, batch);
    this.post({ kind: 'ordered', id, endpoint: handed.config.name, remotes });
  }

  /** The numbers of the next remotes to try for a client, at most `count`. */
  #ordered({ connection, config, port, context }: Handed, address: string, count: number): readonly number[] {
    const order = (): KnownOrder<ConnectionRemote> => context.order(port, clientIp(address), connection);
    return this.#known.numbersOf(config, connection.nextRemotes(count, order));
  }

  #onBytes({ seq, bytes }: Extract<Report, { kind: 'report' }>): void {
    for (let i = 0; i < bytes.length; i += 3) {
      const [id = 0, fromClient = 0, fromUpstream = 0] = bytes.subarray(i, i + 3);
      const connection = this.#handed.get(id)?.connection;
      if (connection === undefined) continue;
      connection.fromClient.bytes = fromClient;
      connection.fromUpstream.bytes = fromUpstream;
    }
    this.#waiting.get(seq)?.();
    this.#waiting.delete(seq);
  }

  #onExit(why: Error): void {
    this.sync(); // what it has reported before
    this.#port.close();
    KernelSocket.closeRecorded(this.#openDescriptors);
    const lost = [...this.#handed.values()];
    this.#handed.clear();
    this.#context.onEnded(why, lost.length);
    for (const { connection } of lost) connection.settle('relay');
  }
}

function refusalOf(error: Error): Refusal {
  if (error instanceof BackendRefusedError) return 'backend';
  return error instanceof ClientLimitError ? 'client' : 'source';
}

/** Whether the remotes are ordered only when they are dialled, since a PROXY header or a handshake comes first. */
function isOrderedLater(config: EndpointConfig): boolean {
  return config.network.acceptProxy !== undefined || hasTransport(config);
}
