/**
 * The relay as one object: it runs a configuration, replaces it by another one all or nothing (*reload*), reports how
 * everything is (*status*), and stops (*drain*, *close*).
 *
 * Guarantee: a listening socket closes only when no endpoint wants its name (protocol, address, port, ipv6Only) any
 * more. Whatever else changes, it keeps accepting, and its connections go on.
 */
import type { RelayConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { keepLaterModules } from '../lib/later-modules.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import { present } from '../lib/record.ts';
import { version } from '../lib/version.ts';
import type { Logger } from '../telemetry/logger.ts';
import { endpointStatus, type EndpointStatus, type RelayStatus } from './admin/status.ts';
import type { DataPlane } from './data-plane/data-plane.ts';
import { LocalDataPlane } from './data-plane/local-data-plane.ts';
import type { ServingThreads } from './data-plane/serving-threads.ts';
import type { Lookup } from './dns/lookup.ts';
import { NameResolver } from './dns/resolver.ts';
import type { RelayIdentity } from './identity.ts';
import { faultsText } from './listener/bind-fault.ts';
import { InheritedSockets } from './listener/inherited-sockets.ts';
import { ListenerSet } from './listener/listener-set.ts';
import type { ManagedListener } from './listener/managed-listener.ts';
import type { Engine } from './net/engine.ts';
import type { OwnSocket } from './handover/own-descriptors.ts';
import { errorsWithRemedies, RecentErrors } from './stats/recent-errors.ts';

/** The new configuration cannot run, and the previous one runs again. */
export class ReloadError extends RealmError {
  readonly code = 'REALM_RELOAD_ROLLED_BACK';
}

/** What a relay works with. */
export type RelayOptions = {
  readonly log: Logger;
  readonly clock: Clock;
  /** How names become addresses; by default as the system does it. */
  readonly lookup?: Lookup;
  /** Moves the bytes. */
  readonly engine: Engine;
  /** What it runs for, and where; by default for no RealmRelay, outside a cluster. */
  readonly identity?: RelayIdentity;
  /** Remembers recent errors. */
  readonly errors?: RecentErrors;
  /** How long connections of a removed endpoint may go on; 30,000 by default. */
  readonly retireMs?: number;
  /** In [0, 1), for the jitter of retries; `Math.random` by default. */
  readonly random?: () => number;
  /** How many files the process may have open; by default its limit. */
  readonly openFiles?: number;
  /** How much memory clients may make the process use; by default what the system's limit allows. */
  readonly memoryBytes?: number;
  /** Sockets to listen on instead of binding them; none by default. */
  readonly inherited?: InheritedSockets;
  /** Threads that serve connections beside this one; none by default. */
  readonly threads?: ServingThreads;
  /** Lines that were dropped from the log so far; none by default. */
  readonly logLinesDropped?: () => number;
};

const defaults = {
  identity: { relay: '', pod: '', madeOf: 'Realm' },
  retireMs: 30_000,
  random: Math.random,
  logLinesDropped: () => 0,
} as const;

/** In stage `leaving` it still accepts, but is no longer ready. */
type Stage = 'serving' | 'leaving' | 'stopping';

/** How a drain ended. */
export type Drained = {
  /** Connections and associations that ended on their own. */
  readonly ended: number;
  /** Those that were cut, at the deadline or by `close`. */
  readonly cut: number;
};

/** Whether the relay may be ready with the endpoint as it is. */
function isReadyEnough({ ready, required }: EndpointStatus): boolean {
  return ready || !required;
}

/** What a serving relay imports only when it is needed. */
export const laterModules: readonly string[] = ['html', 'port-owner', 'watched-transport'];

/** A running relay: its configuration, its listening sockets, and the data plane that serves their clients. */
export class RelayServer {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #errors: RecentErrors;
  readonly #dataPlane: DataPlane;
  readonly #listeners: ListenerSet;
  readonly #inherited: InheritedSockets;
  readonly #logLinesDropped: () => number;
  readonly #identity: RelayIdentity;
  readonly #openFiles: number;
  readonly #startedAt: string;
  #configHash = '';
  #configProblem = '';
  #isConfigured = false;
  #stage: Stage = 'serving';
  #revision = 0;
  #endLag: () => void = () => undefined;
  #lastReload: Promise<void> = Promise.resolve();

  constructor(options: RelayOptions) {
    keepLaterModules(laterModules);
    const { log, clock, engine, identity, retireMs, random, logLinesDropped } = { ...defaults, ...options };
    const {
      lookup = new NameResolver({ clock, log }).lookup,
      errors = new RecentErrors(clock),
      openFiles = openFilesLimit(),
      inherited = new InheritedSockets(),
      memoryBytes,
      threads,
    } = options;
    this.#log = log;
    this.#clock = clock;
    this.#errors = errors;
    this.#dataPlane = new LocalDataPlane({
      log,
      errors,
      clock,
      lookup,
      engine,
      random,
      retireMs,
      openFiles,
      ...present('memoryBytes', memoryBytes),
      ...present('threads', threads),
    });
    this.#identity = identity;
    this.#openFiles = openFiles;
    this.#startedAt = clock.now().toISOString();
    this.#logLinesDropped = logLinesDropped;
    this.#inherited = inherited;
    this.#listeners = new ListenerSet({
      log,
      errors,
      clock,
      lookup,
      random,
      inherited,
      listen: (request) => this.#dataPlane.listen(request),
    });
  }

  /**
   * Runs `config` in place of the previous one; an equal one changes nothing. Reloads run one after the other.
   *
   * An endpoint whose socket cannot be bound is not ready, and the bind is retried; the others serve.
   *
   * @param configHash  names the configuration in the status.
   * @throws ReloadError if a socket could not replace the one in its way, TransportFilesError if files that `config`
   *   names are missing: everything is as before.
   */
  reload(config: RelayConfig, configHash = ''): Promise<void> {
    const reload = this.#lastReload.then(() => this.#reload(config, configHash));
    this.#lastReload = reload.catch((error: unknown) => {
      this.reportRejected(asError(error).message);
    });
    return reload;
  }

  /** Reports in the status that the newest configuration does not run; a problem that is reported already counts once. */
  reportRejected(problem: string): void {
    if (problem === this.#configProblem) return;
    this.#configProblem = problem;
    this.#revision += 1;
    this.#errors.add({ endpoint: '', side: 'relay', reason: 'ConfigRejected', error: { message: problem } });
  }

  /** Changes with the configuration, its rejection and the stage: an earlier status is out of date then. */
  get revision(): number {
    return this.#revision;
  }

  /** Brings up to date what `status` reports of other threads. */
  async refresh(): Promise<void> {
    await this.#dataPlane.refresh();
  }

  /** The present state; the bytes that other threads have carried, as of the last `refresh`. */
  status(): RelayStatus {
    const listeners = new Map<string, ManagedListener[]>();
    for (const listener of this.#listeners)
      for (const name of listener.endpoints) {
        const known = listeners.get(name);
        if (known === undefined) listeners.set(name, [listener]);
        else known.push(listener);
      }
    const endpoints = this.#dataPlane.endpointStats.map((stats) =>
      endpointStatus(stats, listeners.get(stats.config.name) ?? []),
    );
    const { engine, workers, descriptorsShort, memory, datagramsLost } = this.#dataPlane;
    return {
      asOf: this.#clock.now().toISOString(),
      version,
      startedAt: this.#startedAt,
      relay: this.#identity.relay,
      pod: this.#identity.pod,
      engine,
      configHash: this.#configHash,
      ready: this.#isConfigured && this.#stage === 'serving' && endpoints.every(isReadyEnough),
      draining: this.#stage !== 'serving',
      configProblem: this.#configProblem,
      descriptorsShort: Number(descriptorsShort),
      openFilesLimit: Number.isFinite(this.#openFiles) ? this.#openFiles : null,
      logLinesDropped: this.#logLinesDropped(),
      memory,
      datagramsLost,
      ...(workers && { workers }),
      endpoints,
      recentErrors: errorsWithRemedies(this.#errors.list, this.#identity.madeOf),
    };
  }

  /**
   * Is no longer ready, stops accepting, and waits until everything open has ended; at the deadline it cuts the rest.
   *
   * @param deadlineMs  from the end of the lag; 0 = cut at once.
   * @param lagMs  how long it still accepts, while load balancers learn that it is not ready.
   */
  async drain(deadlineMs: number, lagMs = 0): Promise<Drained> {
    const cutBefore = this.#dataPlane.cutCount;
    this.#enter('leaving');
    if (lagMs > 0) await this.#lag(lagMs);
    const refreshed = this.#dataPlane.refresh();
    const stopTimer = this.#clock.after(deadlineMs, () => {
      this.#dataPlane.cut();
    });
    this.#enter('stopping');
    await this.#listeners.drain();
    const open = await refreshed;
    this.#log.info({ connections: open }, 'no longer accepting connections');
    await this.#dataPlane.idle();
    stopTimer();
    const cut = this.#dataPlane.cutCount - cutBefore;
    return { ended: Math.max(0, open - cut), cut };
  }

  /** The sockets that it listens on. */
  get sockets(): OwnSocket[] {
    return [...this.#listeners].flatMap(({ spec, open }) => {
      if (open === undefined) return [];
      const { address, port, sockets } = open;
      return [{ name: spec.key, protocol: spec.protocol, address, port, sockets }];
    });
  }

  /** Leaves new clients to a successor that has the same sockets, and waits until everything open has ended. */
  async release(): Promise<void> {
    this.#enter('stopping');
    await this.#listeners.release();
    await this.#dataPlane.idle();
  }

  /** Ends everything now, a running drain, too. */
  async close(): Promise<void> {
    this.#enter('stopping');
    void this.#listeners.close();
    this.#dataPlane.cut();
    this.#endLag();
    await this.#dataPlane.idle();
    await this.#dataPlane.close();
  }

  #enter(stage: Stage): void {
    this.#stage = stage;
    this.#revision += 1;
  }

  async #lag(lagMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      resolve(undefined);
    };
    const stopTimer = this.#clock.after(lagMs, end);
    this.#endLag = end;
    await promise;
    stopTimer();
  }

  async #reload(config: RelayConfig, configHash: string): Promise<void> {
    if (this.#stage !== 'serving') throw new ReloadError('the relay is stopping');
    await this.#dataPlane.plan(config);
    const faults = await this.#listeners.replace(config.endpoints, {
      commit: (kept) => this.#dataPlane.commit(config, kept),
      discard: () => this.#dataPlane.discard(),
    });
    if (faults.length > 0) throw new ReloadError(`rolled back: ${faultsText(faults)}`);
    this.#inherited.closeRest(); // of endpoints that are gone
    this.#isConfigured = true;
    this.#configHash = configHash;
    this.#configProblem = '';
    this.#revision += 1;
  }
}
