import { isDeepStrictEqual } from 'node:util';
import type { EndpointConfig, RelayConfig } from '../config/relay-config.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { openFilesLimit } from '../lib/open-files.ts';
import type { Logger } from '../telemetry/logger.ts';
import { bindFault, faultsText } from './bind-fault.ts';
import { DescriptorBudget } from './descriptor-budget.ts';
import type { TcpStack } from './channel.ts';
import { systemAddresses, type Lookup } from './dial.ts';
import type { Endpoint, Surroundings } from './endpoint.ts';
import {
  endpointPlan,
  socketKey,
  wantedSockets,
  type EndpointPlan,
  type WantedSocket,
} from './endpoint-plan.ts';
import { Endpoints } from './endpoints.ts';
import { ListenSocket, type ListenSocketContext } from './listen-socket.ts';
import { RecentErrors } from './recent-errors.ts';
import { endpointStatus, type RelayStatus } from './relay-status.ts';
import { tcpStack } from './tcp-stack.ts';
import { Transports, type PlannedTransports } from './transports.ts';

/** A configuration could not be put in place of the one before, which runs again. */
export class ReloadError extends RealmError {
  readonly code = 'REALM_RELOAD_ROLLED_BACK';
}

/** Files that a new configuration names cannot be used yet: all is as before. */
export class TransportFilesError extends RealmError {
  readonly code = 'REALM_TRANSPORT_FILES';
}

/** What a relay works with. */
export type RelayOptions = {
  readonly log: Logger;
  readonly clock: Clock;
  /** How names become addresses; the machine's own way unless told. */
  readonly lookup?: Lookup;
  /** How TCP is done; the cheapest way that this Node has unless told. */
  readonly tcp?: TcpStack;
  /** How long connections of an endpoint that was removed may go on; 30,000 unless told. */
  readonly retireMs?: number;
  /** In [0, 1), for the jitter of retries; `Math.random` unless told. */
  readonly random?: () => number;
  /** How many files the process may have open; asked of the system unless told. */
  readonly openFiles?: number;
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
 * The relay: endpoints, their listening sockets, and what they carry.
 *
 * A listening socket is closed only when its name (protocol, address, port, ipv6Only) is no longer wanted;
 * whatever else changes, it keeps accepting and its connections go on.
 */
export class Relay {
  readonly #surroundings: Surroundings;
  readonly #socketContext: ListenSocketContext;
  readonly #endpoints: Endpoints;
  readonly #transports: Transports;
  #config: RelayConfig = { log: { level: 'info' }, endpoints: [] };
  #configHash = '';
  #configProblem = '';
  #wanted: readonly EndpointConfig[] = [];
  #sockets = new Map<string, ListenSocket>();
  #isConfigured = false;
  #stage: Stage = 'serving';
  #endLag: () => void = () => undefined;
  #lastReload: Promise<void> = Promise.resolve();

  constructor({
    log,
    clock,
    lookup = systemAddresses,
    tcp = tcpStack(log),
    retireMs = 30_000,
    random = Math.random,
    openFiles = openFilesLimit(),
  }: RelayOptions) {
    const budget = new DescriptorBudget({ limit: openFiles, listening: () => this.#sockets.size });
    this.#surroundings = { log, errors: new RecentErrors(clock), clock, lookup, tcp, random, budget };
    this.#endpoints = new Endpoints(this.#surroundings, retireMs);
    this.#transports = new Transports(this.#surroundings);
    this.#socketContext = {
      ...this.#surroundings,
      explain: (error, { spec, endpoint }) => {
        const wanted = this.#wanted.find(({ name }) => name === endpoint.config.name);
        return bindFault(error, spec, wanted, this.#wanted);
      },
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
      this.refuse(asError(error).message);
    });
    return reload;
  }

  /** Tells in the status that the newest configuration does not run. */
  refuse(problem: string): void {
    this.#configProblem = problem;
    const error = { message: problem };
    this.#surroundings.errors.add({ endpoint: '', side: 'relay', reason: 'ConfigRejected', error });
  }

  /** How everything is now. */
  status(): RelayStatus {
    const sockets = Map.groupBy(this.#sockets.values(), ({ endpoint }) => endpoint);
    const endpoints = this.#endpoints.running.map((endpoint) =>
      endpointStatus(endpoint, sockets.get(endpoint) ?? []),
    );
    return {
      configHash: this.#configHash,
      ready: this.#isConfigured && this.#stage === 'serving' && endpoints.every(({ ready }) => ready),
      draining: this.#stage !== 'serving',
      configProblem: this.#configProblem,
      endpoints,
      recentErrors: this.#surroundings.errors.list,
    };
  }

  /**
   * Not ready from now on. Takes nothing new, at once or after a lag in which clients are still sent here, and
   * waits for what is going on to end; at the deadline it is cut.
   *
   * @param deadlineMs  from the end of the lag; 0 = cut at once.
   */
  async drain(deadlineMs: number, lagMs = 0): Promise<Drained> {
    const cutBefore = this.#endpoints.cutCount;
    if (lagMs > 0) await this.#lag(lagMs);
    const open = this.#endpoints.active;
    const stopTimer = this.#stopAccepting(deadlineMs);
    await this.#endpoints.idle();
    stopTimer();
    const cut = this.#endpoints.cutCount - cutBefore;
    return { ended: Math.max(0, open - cut), cut };
  }

  /** Ends everything now, a drain that is going on, too. */
  async close(): Promise<void> {
    this.#stage = 'stopping';
    for (const socket of this.#sockets.values()) socket.close();
    this.#endpoints.cut();
    this.#transports.stop();
    this.#endLag();
    await this.#endpoints.idle();
  }

  async #lag(lagMs: number): Promise<void> {
    this.#stage = 'leaving';
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = (): void => {
      resolve(undefined);
    };
    const stopTimer = this.#surroundings.clock.after(lagMs, end);
    this.#endLag = end;
    await promise;
    stopTimer();
  }

  /** @returns what calls the deadline off. */
  #stopAccepting(deadlineMs: number): () => void {
    this.#stage = 'stopping';
    for (const socket of this.#sockets.values()) socket.drain();
    this.#surroundings.log.info({ connections: this.#endpoints.active }, 'no new connections');
    return this.#surroundings.clock.after(deadlineMs, () => {
      this.#endpoints.cut();
    });
  }

  async #reload(config: RelayConfig, configHash: string): Promise<void> {
    if (this.#stage !== 'serving') throw new ReloadError('the relay is stopping');
    if (!isDeepStrictEqual(config, this.#config)) await this.#apply(config);
    this.#config = config;
    this.#isConfigured = true;
    this.#configHash = configHash;
    this.#configProblem = '';
  }

  async #apply(config: RelayConfig): Promise<void> {
    const transports = await this.#planTransports(config);
    const unbound = this.#takeUnbound();
    const plan = endpointPlan(
      [...this.#sockets.values()].map(({ spec }) => spec),
      wantedSockets(config.endpoints),
    );
    const endpoints = this.#endpoints.planned(config.endpoints, transports);
    this.#wanted = config.endpoints;
    const fresh = await this.#bind(plan.bind, endpoints);
    try {
      fresh.push(...(await this.#replace(plan, endpoints)));
    } catch (error) {
      for (const socket of fresh) socket.close();
      this.#endpoints.discard(endpoints);
      this.#transports.discard(transports);
      this.#wanted = this.#config.endpoints;
      await this.#restore(unbound);
      throw error;
    }
    this.#endpoints.replace(endpoints, config.endpoints, transports);
    this.#transports.replace(transports);
    this.#commit(plan, endpoints);
    const contested = await this.#bind(plan.contested, endpoints);
    for (const socket of [...fresh, ...contested]) this.#add(socket);
  }

  /** At a start the other endpoints serve where files are missing; later what runs is better than what cannot. */
  async #planTransports(config: RelayConfig): Promise<PlannedTransports> {
    const planned = await this.#transports.planned(config.endpoints);
    const problems = this.#transports.problems(planned);
    if (problems.length === 0 || !this.#isConfigured) return planned;
    this.#transports.discard(planned);
    throw new TransportFilesError(problems.join('; '));
  }

  /** Sockets that wait for their next try hold nothing: they begin anew with each configuration. */
  #takeUnbound(): ListenSocket[] {
    const unbound = [...this.#sockets.values()].filter(({ isBound }) => !isBound);
    for (const socket of unbound) {
      socket.close();
      this.#sockets.delete(socketKey(socket.spec));
    }
    return unbound;
  }

  async #bind(wanted: readonly WantedSocket[], endpoints: Map<string, Endpoint>): Promise<ListenSocket[]> {
    const sockets = wanted.flatMap((spec) => {
      const endpoint = endpoints.get(spec.endpoint);
      return endpoint === undefined ? [] : new ListenSocket(spec, endpoint, this.#socketContext);
    });
    await Promise.all(sockets.map((socket) => socket.bind()));
    return sockets;
  }

  /** Closes what is in the way of `plan.rebind` and binds that, in one turn of the event loop. */
  async #replace(plan: EndpointPlan, endpoints: Map<string, Endpoint>): Promise<ListenSocket[]> {
    if (plan.rebind.length === 0) return [];
    const closing = plan.closeFirst.map(socketKey);
    const { log } = this.#surroundings;
    log.warn(
      { closing, binding: plan.rebind.map(socketKey) },
      'replacing sockets that are in the way, connections can be refused for a moment',
    );
    const old = closing.flatMap((key) => this.#sockets.get(key) ?? []);
    for (const socket of old) socket.close();
    const fresh = await this.#bind(plan.rebind, endpoints);
    const faults = fresh.flatMap(({ fault }) => fault ?? []);
    if (faults.length === 0) return fresh;
    for (const socket of fresh) socket.close();
    await this.#restore(old);
    throw new ReloadError(`rolled back: ${faultsText(faults)}`);
  }

  async #restore(old: readonly ListenSocket[]): Promise<void> {
    const again = old.map(({ spec, endpoint }) => new ListenSocket(spec, endpoint, this.#socketContext));
    await Promise.all(again.map((socket) => socket.bind()));
    for (const socket of again) this.#add(socket);
  }

  /** From here on nothing can fail. */
  #commit(plan: EndpointPlan, endpoints: Map<string, Endpoint>): void {
    for (const spec of plan.keep) {
      const [socket, endpoint] = [this.#sockets.get(socketKey(spec)), endpoints.get(spec.endpoint)];
      if (socket !== undefined && endpoint !== undefined) socket.endpoint = endpoint;
    }
    for (const spec of [...plan.closeFirst, ...plan.close]) {
      this.#sockets.get(socketKey(spec))?.close();
      this.#sockets.delete(socketKey(spec));
    }
  }

  #add(socket: ListenSocket): void {
    this.#sockets.set(socketKey(socket.spec), socket);
    if (this.#stage === 'stopping') socket.close();
    socket.retryUntilBound();
  }
}
