/**
 * The workers room: several threads of this process serve TCP connections and carry UDP.
 *
 * Vocabulary. The *main thread* accepts and admits every client, orders its remotes and counts; it serves connections,
 * too. A *worker* is another thread that does. A client is *handed over* by the number of its descriptor, which is valid
 * in every thread of a process. The main thread gives *orders*, and a worker answers with *reports*.
 *
 * Guarantee: limits, balancing, health and counts are those of one thread, because one thread decides them. A worker
 * that ends takes only its own connections with it, and leaves no descriptor open.
 */
import { Worker } from 'node:worker_threads';
import { getHeapStatistics } from 'node:v8';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Connection, DecidingContext } from '../connection/connection.ts';
import type { WorkersStatus, WorkerStatus } from '../data-plane/data-plane.ts';
import type { MainThread, ServingThreads } from '../data-plane/serving-threads.ts';
import { SharedCount } from '../limits/count.ts';
import type { MemoryCells } from '../limits/taken-memory.ts';
import type { UdpThread } from '../net/udp-threads.ts';
import { errorRecord, loggedFields, recordedError } from './error-record.ts';
import { HandedConnection } from './handed-connection.ts';
import { clockBegan, type Report, type WorkerStart } from './messages.ts';
import { memoryCells, newSharedMemory, setting, type SharedMemory } from './shared-memory.ts';
import { workerProgram } from './worker-program.ts';
import { WorkerSlot } from './worker-slot.ts';
import { WorkerThread } from './worker-thread.ts';

/** How often workers are asked whether they hang. */
const watchMs = 10_000;
/** Descriptors of a worker itself: the event loop and what wakes it. */
const workerDescriptors = 8;
const mebibyte = 1024 * 1024;
const minHeapMb = 64;

/** A worker could not be started. */
class WorkerStartError extends RealmError {
  readonly code = 'REALM_WORKER_START';
}

/** What a worker pool works with. */
export type WorkerPoolOptions = {
  readonly log: Logger;
  readonly clock: Clock;
  /** Number of threads that serve, the main thread included; at least 2. */
  readonly count: number;
  /** How many files the process may have open. */
  readonly openFiles: number;
  /** How much memory clients may make the process use. */
  readonly memoryBytes: number;
};

/** The worker threads of this process. */
export class WorkerPool implements ServingThreads {
  readonly count: number;
  readonly descriptors: SharedCount;
  readonly memory: MemoryCells;
  readonly ownDescriptors: number;
  readonly udp: readonly UdpThread[];
  readonly #options: WorkerPoolOptions;
  readonly #shared: SharedMemory;
  readonly #takenBytes: SharedCount;
  readonly #slots: readonly WorkerSlot[];
  /** By endpoint, for reports that name one. */
  readonly #contexts = new Map<string, DecidingContext>();
  /** Resolves once all are ready. */
  readonly #started = Promise.withResolvers<undefined>();
  #hasStarted = false;
  #main: MainThread | undefined;
  /** How many connections the main thread serves. */
  #ownLoad = 0;
  #replaced = 0;
  #isClosed = false;
  #stopTimer: () => void = () => undefined;

  constructor(options: WorkerPoolOptions) {
    const { count, clock } = options;
    this.#options = options;
    this.count = count;
    this.ownDescriptors = (count - 1) * workerDescriptors;
    this.#shared = newSharedMemory(count);
    this.descriptors = new SharedCount(this.#shared.descriptors, 0);
    this.memory = memoryCells(this.#shared, 0);
    this.#takenBytes = new SharedCount(this.#shared.takenBytes, 0);
    this.#slots = Array.from({ length: count - 1 }, (_, index) => new WorkerSlot(index + 1, clock));
    this.udp = this.#slots.map(({ udp }) => udp);
  }

  /** Starts the workers. @throws WorkerStartError */
  async start(): Promise<void> {
    for (const slot of this.#slots) this.#fill(slot);
    try {
      await this.#started.promise;
    } catch (cause) {
      await this.close();
      throw new WorkerStartError('a worker could not be started', { cause });
    }
    this.#watchLater();
  }

  get load(): number {
    return this.#slots.reduce((sum, { worker, udp }) => sum + (worker?.load ?? 0) + udp.clients, 0);
  }

  status(ownLoad: number): WorkersStatus {
    let main = ownLoad;
    const workers: WorkerStatus[] = [];
    for (const { worker, udp, isReady } of this.#slots) {
      if (!isReady) main += udp.clients;
      if (worker === undefined) continue;
      workers.push({ thread: worker.number, load: worker.load + (isReady ? udp.clients : 0) });
    }
    return { running: [{ thread: 0, load: main }, ...workers], replaced: this.#replaced };
  }

  share(main: MainThread): void {
    this.#main = main;
  }

  limitDescriptors(total: number): void {
    Atomics.store(this.#shared.settings, setting.descriptors, total);
  }

  listens(port: number, isListening: boolean): void {
    Atomics.add(this.#shared.ports, port, isListening ? 1 : -1);
  }

  readonly serve: ServingThreads['serve'] = (accepted, port, config, context) => {
    const worker = this.#leastLoaded();
    if (worker === undefined || accepted.handOver === undefined) {
      this.#ownLoad += 1;
      return undefined;
    }
    this.#contexts.set(config.name, context);
    const { settings } = this.#shared;
    for (const level of ['debug', 'info'] as const)
      Atomics.store(settings, setting[level], Number(context.log.isLevelEnabled(level)));
    return worker.serve({ accepted, port, config, context });
  };

  settled(connection: Connection): void {
    if (!(connection instanceof HandedConnection)) this.#ownLoad -= 1;
  }

  configure(endpoints: readonly EndpointConfig[]): void {
    const byName = new Map(endpoints.map((config) => [config.name, config]));
    for (const worker of this.#workers) worker.configure(byName);
    for (const name of this.#contexts.keys()) if (!byName.has(name)) this.#contexts.delete(name);
  }

  readonly sync = (): void => {
    for (const worker of this.#workers) worker.sync();
  };

  async refresh(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.refresh()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer();
    await Promise.all(this.#workers.map((worker) => worker.stop()));
  }

  get #workers(): WorkerThread[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  /** The worker with the fewest connections; undefined if the main thread has fewer. */
  #leastLoaded(): WorkerThread | undefined {
    let best: WorkerThread | undefined;
    let load = this.#ownLoad + 1;
    for (const { worker, isReady } of this.#slots) {
      if (!isReady || worker === undefined || worker.load >= load) continue;
      best = worker;
      load = worker.load;
    }
    return best;
  }

  #fill(slot: WorkerSlot): void {
    const { clock, openFiles, memoryBytes } = this.#options;
    const { thread, udp } = slot;
    slot.started(
      new WorkerThread({
        clock,
        openFiles,
        newWorker: (start) => this.#newWorker(start),
        start: {
          memory: this.#shared,
          carried: udp.memory,
          thread,
          threads: this.count,
          memoryBytes,
          clockBeganMs: clockBegan(clock),
        },
        onReport: (report, worker) => {
          if (report.kind === 'ready') this.#onReady(slot);
          else if (report.kind === 'udp') udp.onReport(report.report);
          else this.#onReport(report, worker);
        },
        onEnded: (why, connections) => {
          this.#onEnded(slot, why, connections);
        },
      }),
    );
  }

  #newWorker(start: WorkerStart): Worker {
    const heapMb = getHeapStatistics().heap_size_limit / mebibyte / this.count;
    return new Worker(workerProgram, {
      eval: typeof workerProgram === 'string',
      name: 'relay-worker',
      workerData: start,
      transferList: [start.port],
      resourceLimits: { maxOldGenerationSizeMb: Math.max(minHeapMb, Math.floor(heapMb)) },
    });
  }

  #onReady(slot: WorkerSlot): void {
    slot.isReady = true;
    slot.udp.attach((order) => {
      slot.worker?.post({ kind: 'udp', order });
    });
    if (this.#hasStarted) this.#options.log.info({ worker: slot.worker?.number }, 'worker started');
    else if (this.#slots.every(({ isReady }) => isReady)) {
      this.#hasStarted = true;
      this.#started.resolve(undefined);
    }
  }

  #onReport(report: Report, worker: WorkerThread): void {
    if (report.kind === 'look up') void this.#lookUp(report, worker);
    else if (report.kind === 'log') this.#log(report);
    else if (report.kind === 'descriptors') this.#main?.descriptorsChanged();
    else if (report.kind === 'memory') this.#main?.memoryChanged();
    else if (report.kind === 'failure')
      this.#main?.errors.add({ ...report.failure, error: recordedError(report.error) });
  }

  #log({ level, fields, message }: Extract<Report, { kind: 'log' }>): void {
    const { log } = this.#options;
    const warn = this.#contexts.get(String((fields as { endpoint?: string }).endpoint))?.warn;
    if (level === 'warn' && warn !== undefined) warn(loggedFields(fields), message);
    else log[level](loggedFields(fields), message);
  }

  async #lookUp({ seq, host }: Extract<Report, { kind: 'look up' }>, worker: WorkerThread): Promise<void> {
    try {
      worker.post({ kind: 'found', seq, addresses: (await this.#main?.lookup(host)) ?? [] });
    } catch (error) {
      worker.post({ kind: 'not found', seq, error: errorRecord(asError(error)) });
    }
  }

  #onEnded(slot: WorkerSlot, why: Error, connections: number): void {
    const { log, clock } = this.#options;
    const worker = slot.worker?.number;
    const delayMs = slot.ended();
    if (this.#isClosed) return;
    for (const count of [this.descriptors, this.#takenBytes]) count.giveBack(slot.thread);
    this.#main?.givenBack();
    if (!this.#hasStarted) {
      this.#started.reject(why);
      return;
    }
    log.error({ worker, err: why, connections, delayMs }, 'worker failed, starting a replacement');
    this.#main?.errors.add({ endpoint: '', side: 'relay', reason: 'WorkerFailed', error: why });
    clock.after(delayMs, () => {
      if (this.#isClosed) return;
      this.#replaced += 1;
      this.#fill(slot);
    });
  }

  #watchLater(): void {
    this.#stopTimer = this.#options.clock.after(watchMs, () => {
      for (const worker of this.#workers) void worker.watch();
      this.#watchLater();
    });
  }
}
