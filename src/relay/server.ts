import type { EndpointConfig, RelayConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import type { Logger } from '../telemetry/logger.ts';
import { bindFault, faultsText } from './listener/bind-fault.ts';
import type { TcpStack } from './net/channel.ts';
import type { DataPlane } from './data-plane/data-plane.ts';
import type { OpenListener } from './listener/listener.ts';
import { systemAddresses, type Lookup } from './dns/lookup.ts';
import {
  socketPlan,
  socketKey,
  wantedSockets,
  type SocketPlan,
  type WantedSocket,
} from './listener/socket-plan.ts';
import { ManagedListener, type ManagedListenerContext } from './listener/managed-listener.ts';
import { LocalDataPlane } from './data-plane/local-data-plane.ts';
import { mergedErrors, RecentErrors } from './stats/recent-errors.ts';
import { endpointStatus, type RelayStatus } from './admin/status.ts';
import { tcpStack } from './net/tcp-stack.ts';

/** A configuration could not be put in place of the one before, which runs again. */
export class ReloadError extends RealmError {
  readonly code = 'REALM_RELOAD_ROLLED_BACK';
}

/** What a relay works with. */
export type RelayOptions = {
  readonly log: Logger;
  readonly clock: Clock;
  /** How names become addresses; the machine's own way unless told. */
  readonly lookup?: Lookup;
  /** How TCP is done; the cheapest way that this Node has unless told. */
  readonly tcp?: TcpStack;
  /** Where what goes wrong is remembered. */
  readonly errors?: RecentErrors;
  /** How long connections of an endpoint that was removed may go on; 30,000 unless told. */
  readonly retireMs?: number;
  /** In [0, 1), for the jitter of retries; `Math.random` unless told. */
  readonly random?: () => number;
  /** How many files the process may have open; asked of the system unless told. */
  readonly openFiles?: number;
  /** Who serves the clients; this process unless told. */
  readonly dataPlane?: DataPlane;
};

/** Leaving: not ready any more, and still accepting. */
type Stage = 'serving' | 'leaving' | 'stopping';

/** How a drain ended. */
export type Drained = {
  /** Connections and associations that ended by themselves. */
  readonly ended: number;
  /** Those that were cut, at the deadline or by `close`. */
  readonly cut: number;
};

/**
 * The relay: its configuration, the listening sockets, and the data plane that serves their clients.
 *
 * A listening socket is closed only when its name (protocol, address, port, ipv6Only) is no longer wanted;
 * whatever else changes, it keeps accepting and its connections go on.
 */
export class RelayServer {
  readonly #context: ManagedListenerContext;
  readonly #dataPlane: DataPlane;
  #config: RelayConfig = { log: { level: 'info' }, endpoints: [] };
  #configHash = '';
  #configProblem = '';
  #wanted: readonly EndpointConfig[] = [];
  #listeners = new Map<string, ManagedListener>();
  #isConfigured = false;
  #stage: Stage = 'serving';
  #endLag: () => void = () => undefined;
  #lastReload: Promise<void> = Promise.resolve();

  constructor({
    log,
    clock,
    lookup = systemAddresses,
    retireMs = 30_000,
    random = Math.random,
    errors = new RecentErrors(clock),
    tcp,
    openFiles,
    dataPlane = new LocalDataPlane({
      log,
      errors,
      clock,
      lookup,
      tcp: tcp ?? tcpStack(log),
      random,
      retireMs,
      openFiles: openFiles ?? openFilesLimit(),
    }),
  }: RelayOptions) {
    this.#dataPlane = dataPlane;
    this.#context = {
      log,
      errors,
      clock,
      lookup,
      random,
      listen: (request) => this.#dataPlane.listen(request),
      wanted: (endpoint) => this.#wanted.find(({ name }) => name === endpoint),
      explain: (error, { spec, endpoint }) =>
        bindFault(error, spec, this.#context.wanted(endpoint), this.#wanted),
    };
  }

  /**
   * Runs `config` in place of the one before; the same one again changes nothing. Reloads happen one after
   * the other.
   *
   * An endpoint that cannot be bound is not ready, told, and tried again; the others serve.
   *
   * @param configHash  what status shall call it.
   * @throws ReloadError where a socket could not take the place of the one it replaces: all is as before.
   */
  reload(config: RelayConfig, configHash = ''): Promise<void> {
    const reload = this.#lastReload.then(() => this.#reload(config, configHash));
    this.#lastReload = reload.catch((error: unknown) => {
      this.reportRejected(asError(error).message);
    });
    return reload;
  }

  /** Tells in the status that the newest configuration does not run. */
  reportRejected(problem: string): void {
    this.#configProblem = problem;
    const error = { message: problem };
    this.#context.errors.add({ endpoint: '', side: 'relay', reason: 'ConfigRejected', error });
  }

  /** Brings what `status` tells up to date: to be awaited before it where there are workers. */
  async refresh(): Promise<void> {
    await this.#dataPlane.refresh();
  }

  /** How everything is now; of what workers carry as it was at the last `refresh`. */
  status(): RelayStatus {
    const sockets = Map.groupBy(this.#listeners.values(), ({ endpoint }) => endpoint);
    const endpoints = this.#dataPlane.endpointStats.map((stats) =>
      endpointStatus(stats, sockets.get(stats.config.name) ?? []),
    );
    const { workers, workerErrors, descriptorsShort } = this.#dataPlane;
    return {
      configHash: this.#configHash,
      ready: this.#isConfigured && this.#stage === 'serving' && endpoints.every(({ ready }) => ready),
      draining: this.#stage !== 'serving',
      configProblem: this.#configProblem,
      descriptorsShort,
      ...(workers && { workers }),
      endpoints,
      recentErrors: mergedErrors([...this.#context.errors.list, ...workerErrors]),
    };
  }

  /**
   * Not ready from now on. Takes nothing new, at once or after a lag in which clients are still sent here, and
   * waits for what is going on to end; at the deadline it is cut.
   *
   * @param deadlineMs  from the end of the lag; 0 = cut at once.
   */
  async drain(deadlineMs: number, lagMs = 0): Promise<Drained> {
    const cutBefore = this.#dataPlane.cutCount;
    this.#stage = 'leaving';
    if (lagMs > 0) await this.#lag(lagMs);
    const refreshed = this.#dataPlane.refresh();
    const stopTimer = this.#context.clock.after(deadlineMs, () => {
      this.#dataPlane.cut();
    });
    await this.#stopAccepting();
    const open = await refreshed;
    this.#context.log.info({ connections: open }, 'no new connections');
    await this.#dataPlane.idle();
    stopTimer();
    const cut = this.#dataPlane.cutCount - cutBefore;
    return { ended: Math.max(0, open - cut), cut };
  }

  /** Ends everything now, a drain that is going on, too. */
  async close(): Promise<void> {
    this.#stage = 'stopping';
    for (const socket of this.#listeners.values()) void socket.close();
    this.#dataPlane.cut();
    this.#endLag();
    await this.#dataPlane.idle();
    await this.#dataPlane.close();
  }

  async #lag(lagMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      resolve(undefined);
    };
    const stopTimer = this.#context.clock.after(lagMs, end);
    this.#endLag = end;
    await promise;
    stopTimer();
  }

  async #stopAccepting(): Promise<void> {
    this.#stage = 'stopping';
    await Promise.all([...this.#listeners.values()].map((socket) => socket.drain()));
  }

  async #reload(config: RelayConfig, configHash: string): Promise<void> {
    if (this.#stage !== 'serving') throw new ReloadError('the relay is stopping');
    await this.#apply(config);
    this.#config = config;
    this.#isConfigured = true;
    this.#configHash = configHash;
    this.#configProblem = '';
  }

  async #apply(config: RelayConfig): Promise<void> {
    await this.#dataPlane.plan(config);
    const unbound = this.#takeUnbound();
    const plan = socketPlan(
      [...this.#listeners.values()].map(({ spec }) => spec),
      wantedSockets(config.endpoints),
    );
    this.#wanted = config.endpoints;
    const fresh = await this.#bind(plan.bind);
    try {
      fresh.push(...(await this.#replace(plan)));
    } catch (error) {
      await closeAll(fresh);
      await this.#dataPlane.discard();
      this.#wanted = this.#config.endpoints;
      await this.#restore(unbound);
      throw error;
    }
    await this.#commit(plan, config);
    const contested = await this.#bind(plan.contested);
    for (const socket of [...fresh, ...contested]) this.#add(socket);
  }

  /** Sockets that wait for their next try hold nothing: they begin anew with each configuration. */
  #takeUnbound(): ManagedListener[] {
    const unbound = [...this.#listeners.values()].filter(({ isBound }) => !isBound);
    for (const socket of unbound) {
      void socket.close();
      this.#listeners.delete(socketKey(socket.spec));
    }
    return unbound;
  }

  async #bind(wanted: readonly WantedSocket[]): Promise<ManagedListener[]> {
    const sockets = wanted.map((spec) => new ManagedListener(spec, spec.endpoint, this.#context));
    await Promise.all(sockets.map((socket) => socket.bind()));
    return sockets;
  }

  /** Closes what is in the way of `plan.rebind` and binds that, with nothing in between. */
  async #replace(plan: SocketPlan): Promise<ManagedListener[]> {
    if (plan.rebind.length === 0) return [];
    const closing = plan.closeFirst.map(socketKey);
    const { log } = this.#context;
    log.warn(
      { closing, binding: plan.rebind.map(socketKey) },
      'replacing sockets that are in the way, connections can be refused for a moment',
    );
    const old = closing.flatMap((key) => this.#listeners.get(key) ?? []);
    await closeAll(old);
    const fresh = await this.#bind(plan.rebind);
    const faults = fresh.flatMap(({ fault }) => fault ?? []);
    if (faults.length === 0) return fresh;
    await closeAll(fresh);
    await this.#restore(old);
    throw new ReloadError(`rolled back: ${faultsText(faults)}`);
  }

  async #restore(old: readonly ManagedListener[]): Promise<void> {
    const again = old.map(({ spec, endpoint }) => new ManagedListener(spec, endpoint, this.#context));
    await Promise.all(again.map((socket) => socket.bind()));
    for (const socket of again) this.#add(socket);
  }

  /** From here on nothing can fail. */
  async #commit(plan: SocketPlan, config: RelayConfig): Promise<void> {
    const serves = new Map<OpenListener, string>();
    for (const spec of plan.keep) {
      const socket = this.#listeners.get(socketKey(spec));
      if (socket === undefined) continue;
      socket.endpoint = spec.endpoint;
      if (socket.open !== undefined) serves.set(socket.open, spec.endpoint);
    }
    await this.#dataPlane.commit(config, serves);
    const going = [...plan.closeFirst, ...plan.close].map(socketKey);
    const closing = going.flatMap((key) => this.#listeners.get(key) ?? []);
    for (const key of going) this.#listeners.delete(key);
    await closeAll(closing);
  }

  #add(socket: ManagedListener): void {
    this.#listeners.set(socketKey(socket.spec), socket);
    if (this.#stage === 'stopping') void socket.close();
    socket.retryUntilBound();
  }
}

async function closeAll(sockets: readonly ManagedListener[]): Promise<void> {
  await Promise.all(sockets.map((socket) => socket.close()));
}
