/**
 * The data plane in several processes.
 *
 * Vocabulary: a *worker* is a process that serves clients, and the *parent* the one that has the configuration; a
 * *slot* is the place of a worker in the pool; a *shared socket* is bound here and listened on there; *permits* are a
 * worker's part of a connection limit, which the parent's *ledger* grants; a *call* has a result, a *note* has none.
 *
 * Guarantee: workers act as one relay. Limits, health and stats are those of all together, and a worker that ends takes
 * only its own connections with it.
 */
import type { RelayConfig } from '../../config/relay-config.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import { fnv1a, mixed } from '../../lib/hash.ts';
import type { DataPlane, EndpointStats, WorkersStatus } from '../data-plane/data-plane.ts';
import { memoryUseOf, type MemoryUse } from '../stats/memory-use.ts';
import { familiesOf, type ListenRequest, type OpenListener } from '../listener/listener.ts';
import { TransportFilesError } from '../transport/transports.ts';
import { MergedStats } from './merged-stats.ts';
import { bindHandle, inheritedHandle, requireBoundHandles, type BoundHandle } from './bound-socket.ts';
import { LostError } from './rpc.ts';
import {
  withoutHealthChecks,
  type BoundAddress,
  type CallName,
  type Calls,
  type Note,
  type SocketId,
} from './messages.ts';
import { PermitLedger, type PermitHolder } from './permit-ledger.ts';
import type { KeptError } from '../stats/recent-errors.ts';
import { SharedHealth } from './shared-health.ts';
import { listenParams, type SharedOpenSocket, type SharedSocket } from './shared-socket.ts';
import { WorkerStartError, type WorkerPoolOptions } from './worker-pool-options.ts';
import { WorkerProcess } from './worker-process.ts';

/** A worker that ends is replaced at once; one that did not run for `stableMs` is replaced later each time. */
const replaceBackoff: Backoff = { initialMs: 1000, maxMs: 30_000 };
const stableMs = 60_000;

/** The place of a worker: the present one, its start, and how many in a row did not run for `stableMs`. */
type Slot = { worker: WorkerProcess | undefined; startedMs: number; failures: number };

const emptySlot = (): Slot => ({ worker: undefined, startedMs: 0, failures: 0 });

/**
 * A pool of worker processes. This process binds the TCP sockets, keeps them, and never accepts; each worker listens on
 * all of them, and the kernel distributes the clients. A UDP endpoint belongs to one worker. Limits and the health of
 * remotes are kept here, for all workers.
 */
export class WorkerPool implements DataPlane {
  readonly engine: DataPlane['engine'];
  #cutCount = 0;
  readonly #options: WorkerPoolOptions;
  readonly #slots: Slot[];
  readonly #mergedStats = new MergedStats();
  readonly #ledger: PermitLedger;
  readonly #health: SharedHealth;
  readonly #sockets = new Map<SocketId, SharedSocket<Slot>>();
  #running: RelayConfig = { log: { level: 'info' }, endpoints: [] };
  #planned: RelayConfig | undefined;
  #nextId: SocketId = 0;
  #replaced = 0;
  #isClosed = false;
  #refreshing: Promise<void> | undefined;

  constructor(options: WorkerPoolOptions) {
    requireBoundHandles();
    this.#options = options;
    this.engine = options.engine.name;
    this.#slots = Array.from({ length: options.count }, emptySlot);
    this.#ledger = new PermitLedger(options.log);
    this.#health = new SharedHealth(options, (note) => {
      for (const worker of this.#workers) worker.send(note);
    });
  }

  get endpointStats(): readonly EndpointStats[] {
    const reports = this.#workers.map(({ report }) => report);
    return this.#running.endpoints.map((config) =>
      this.#mergedStats.of(config, this.#health.healthOf(config.name), reports),
    );
  }

  get workerErrors(): readonly KeptError[] {
    return this.#workers.flatMap(({ report }) => report.errors);
  }

  get workers(): WorkersStatus {
    return {
      running: this.#workers.map(({ pid, report }) => ({ pid, load: report.load })),
      replaced: this.#replaced,
    };
  }

  get descriptorsShort(): number {
    return this.#workers.reduce((count, { report }) => count + report.descriptorsShort, 0);
  }

  get workerLogLinesDropped(): number {
    return this.#mergedStats.logLinesDropped(this.#workers.map(({ report }) => report));
  }

  get memory(): MemoryUse {
    return memoryUseOf(this.#workers.map(({ report }) => report.memory));
  }

  get cutCount(): number {
    return this.#cutCount;
  }

  /**
   * Starts the workers.
   *
   * @param log  where and at which level they log.
   * @throws WorkerStartError
   */
  async start(log: RelayConfig['log']): Promise<void> {
    this.#running = { ...this.#running, log };
    try {
      await Promise.all(this.#slots.map((slot) => this.#fill(slot)));
    } catch (cause) {
      await this.close();
      throw new WorkerStartError('a worker could not be started', { cause });
    }
  }

  /** Has every worker open its log file again. */
  reopenLog(): void {
    for (const worker of this.#workers) worker.send({ note: 'reopenLog' });
  }

  async plan(config: RelayConfig): Promise<void> {
    this.#planned = config;
    try {
      await this.#all('plan', withoutHealthChecks(config));
    } catch (error) {
      await this.discard();
      throw errorCode(error) === 'REALM_TRANSPORT_FILES'
        ? new TransportFilesError(asError(error).message)
        : error;
    }
  }

  async discard(): Promise<void> {
    this.#planned = undefined;
    await this.#all('discard', undefined);
    this.#ledger.discard();
  }

  async commit(config: RelayConfig, serves: ReadonlyMap<OpenListener, string>): Promise<void> {
    const renamed = new Map<SocketId, string>();
    for (const [socket, endpoint] of serves) {
      const shared = this.#sockets.get((socket as SharedOpenSocket).id);
      if (shared === undefined) continue;
      renamed.set(shared.id, endpoint);
      this.#sockets.set(shared.id, { ...shared, endpoint });
    }
    this.#running = config;
    this.#planned = undefined;
    this.#ledger.beginCommit();
    const taken = new Map<PermitHolder, ReadonlyMap<string, number>>();
    await Promise.all(
      this.#workers.map(async (worker) => {
        const result = await this.#call(worker, 'commit', {
          config: withoutHealthChecks(config),
          serves: renamed,
        });
        if (result !== undefined) taken.set(worker, result);
      }),
    );
    for (const lost of [...taken.keys()].filter((worker) => !this.#workers.includes(worker as WorkerProcess)))
      taken.delete(lost);
    this.#ledger.endCommit(config.endpoints, taken);
    this.#mergedStats.keep(config.endpoints);
    this.#health.configure(config);
  }

  async listen(socket: ListenRequest): Promise<OpenListener> {
    const { spec, address, inherited } = socket;
    this.#nextId += 1;
    if (spec.protocol === 'UDP') return this.#listenUdp({ ...socket, id: this.#nextId });
    const { port } = spec.listen;
    const bound =
      inherited === undefined
        ? bindHandle(address, port, spec.ipv6Only)
        : inheritedHandle(inherited.fd, port);
    return this.#listenTcp({ ...socket, id: this.#nextId, bound }, bound);
  }

  async refresh(): Promise<number> {
    this.#refreshing ??= Promise.all(this.#workers.map((worker) => worker.refresh())).then(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
    return this.#workers.reduce((load, { report }) => load + report.load, 0);
  }

  cut(): void {
    for (const worker of this.#workers) {
      const { load } = worker.report;
      void worker.call('cut', undefined).then(
        (count) => (this.#cutCount += count),
        () => (this.#cutCount += load), // it is gone, with everything open in it
      );
    }
  }

  async idle(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.idle()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#health.stop();
    for (const { bound } of this.#sockets.values()) bound?.close();
    this.#sockets.clear();
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  get #workers(): WorkerProcess[] {
    return this.#slots.flatMap(({ worker }) => worker ?? []);
  }

  async #listenTcp(shared: SharedSocket<Slot>, bound: BoundHandle): Promise<OpenListener> {
    this.#sockets.set(shared.id, shared);
    try {
      await Promise.all(this.#workers.map((worker) => this.#open(worker, shared)));
    } catch (error) {
      await this.#close(shared);
      throw error;
    }
    const families = familiesOf(shared.address, shared.spec.ipv6Only);
    return this.#openListener(shared, { address: shared.address, port: bound.port, families });
  }

  async #listenUdp(shared: SharedSocket<Slot>): Promise<OpenListener> {
    const owner = this.#ownerOf(shared.endpoint);
    if (owner?.worker === undefined) throw new Error('its worker is being replaced');
    const result = await owner.worker.call('listen', listenParams(shared));
    const listen = { ...shared.spec.listen, port: result.port }; // port 0 is resolved once
    this.#sockets.set(shared.id, { ...shared, spec: { ...shared.spec, listen }, owner });
    return this.#openListener(shared, result);
  }

  #openListener(shared: SharedSocket<Slot>, bound: BoundAddress): SharedOpenSocket {
    const drain = async (): Promise<void> => {
      this.#sockets.delete(shared.id); // later workers shall not listen
      shared.bound?.close();
      await this.#all('drain', shared.id);
    };
    const close = (): Promise<void> => this.#close(shared);
    return { ...bound, id: shared.id, close, drain, release: shared.bound === undefined ? close : drain };
  }

  async #close({ id, bound }: SharedSocket<Slot>): Promise<void> {
    if (this.#sockets.delete(id)) bound?.close();
    await this.#all('close', id);
  }

  /** Opens the socket in `worker`. @throws the kernel's error; a lost worker is no error. */
  async #open(worker: WorkerProcess, shared: SharedSocket<Slot>): Promise<void> {
    try {
      await worker.call('listen', listenParams(shared), shared.bound?.handle);
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
    }
  }

  /** The slot whose worker serves the UDP clients of `endpoint`. */
  #ownerOf(endpoint: string): Slot | undefined {
    return this.#slots[mixed(fnv1a(endpoint)) % this.#slots.length];
  }

  async #all<Name extends CallName>(call: Name, what: Calls[Name]['params']): Promise<void> {
    await Promise.all(this.#workers.map((worker) => this.#call(worker, call, what)));
  }

  /** @returns undefined if the worker is gone: the one that replaces it starts with the same knowledge. */
  async #call<Name extends CallName>(
    worker: WorkerProcess,
    call: Name,
    what: Calls[Name]['params'],
  ): Promise<Calls[Name]['result'] | undefined> {
    try {
      return await worker.call(call, what);
    } catch (error) {
      if (error instanceof LostError) return undefined;
      if (call === 'plan') throw error;
      this.#options.log.error({ err: error, worker: worker.pid, call }, 'worker failed, stopping it');
      worker.kill();
      return undefined;
    }
  }

  /** Starts a worker in `slot`, and brings it to the state of the others. */
  async #fill(slot: Slot): Promise<void> {
    const { log, clock, fork, retireMs, count } = this.#options;
    const worker = new WorkerProcess({
      log,
      clock,
      fork,
      onNote: this.#receive,
      onLost: (lost, how) => {
        this.#onLost(slot, lost, how);
      },
    });
    slot.worker = worker;
    slot.startedMs = clock.monotonicMs();
    const running = withoutHealthChecks(this.#running);
    const calls: Promise<unknown>[] = [
      worker.call('start', { log: running.log, retireMs, engine: this.engine, processes: count }),
      worker.call('plan', running),
      worker.call('commit', { config: running, serves: new Map() }),
    ];
    if (this.#planned !== undefined) calls.push(worker.call('plan', withoutHealthChecks(this.#planned)));
    for (const shared of this.#sockets.values()) {
      if (shared.bound !== undefined || shared.owner === slot) calls.push(this.#openAgain(worker, shared));
    }
    worker.send(this.#health.states);
    await Promise.all(calls);
  }

  async #openAgain(worker: WorkerProcess, shared: SharedSocket<Slot>): Promise<void> {
    try {
      await this.#open(worker, shared);
    } catch (error) {
      await this.#close(shared);
      shared.onLost(asError(error));
    }
  }

  readonly #receive = (worker: WorkerProcess, note: Note): void => {
    if (note.note === 'acquire') this.#ledger.acquire(worker, note);
    else if (note.note === 'release') this.#ledger.release(worker, note);
    else if (note.note === 'remoteEvent') this.#health.receive(note);
  };

  #onLost(slot: Slot, worker: WorkerProcess, how: string): void {
    slot.worker = undefined;
    if (this.#isClosed) return;
    this.#mergedStats.workerLost(worker.report);
    this.#ledger.holderLost(worker);
    const { log, clock } = this.#options;
    slot.failures = clock.monotonicMs() - slot.startedMs < stableMs ? slot.failures + 1 : 0;
    const delayMs = slot.failures <= 1 ? 0 : backoffMs(replaceBackoff, slot.failures - 1, Math.random());
    log.error({ worker: worker.pid, how, delayMs }, 'worker exited, starting a replacement');
    clock.after(delayMs, () => {
      void this.#replace(slot);
    });
  }

  async #replace(slot: Slot): Promise<void> {
    if (this.#isClosed) return;
    this.#replaced += 1;
    try {
      await this.#fill(slot);
      this.#options.log.info({ worker: slot.worker?.pid }, 'worker started');
    } catch (err) {
      this.#options.log.error({ err }, 'worker could not be started'); // `#onLost` starts the next attempt
    }
  }
}
