import type { EndpointConfig } from '../../config/relay-config.ts';
import { bindFault, type BindFault } from './bind-fault.ts';
import type { OpenListener } from './listener.ts';
import { ManagedListener, type ListenerContext, type ManagedListenerContext } from './managed-listener.ts';
import { SearchLimit } from './search-limit.ts';
import { LogLimiter } from '../stats/log-limiter.ts';
import {
  socketPlan,
  wantedSockets,
  type ServedEndpoints,
  type SocketPlan,
  type WantedSocket,
} from './socket-plan.ts';

/** What serves the clients of a listener set, as far as a change of the set concerns it. */
export type Handover = {
  /** Serves the new endpoints. @param kept  sockets that stay open, with the names of their new endpoints. */
  readonly commit: (kept: ReadonlyMap<OpenListener, ServedEndpoints>) => Promise<void>;
  /** Drops the new endpoints: the previous ones stay. */
  readonly discard: () => Promise<void>;
};

/**
 * The listening sockets of a relay. A socket stays open as long as its spec (protocol, address, port, ipv6Only) is
 * wanted, whichever endpoint it serves; one that cannot be bound is retried until it can.
 */
export class ListenerSet implements Iterable<ManagedListener> {
  readonly #context: ManagedListenerContext;
  readonly #listeners = new Map<string, ManagedListener>();
  /** By endpoint. */
  readonly #limitedLogs = new Map<string, LogLimiter>();
  #wanted = new WantedEndpoints([]);
  #isStopped = false;

  constructor(context: ListenerContext) {
    const wanted = (endpoint: string): EndpointConfig | undefined => this.#wanted.named(endpoint);
    const searches = new SearchLimit(context.clock);
    this.#context = {
      ...context,
      wanted,
      explain: (error, socket) =>
        bindFault(error, socket, {
          endpoint: wanted(socket.endpoint),
          endpoints: this.#wanted.all,
          searches,
        }),
      limitedLog: (endpoint) => this.#limitedLog(endpoint),
    };
  }

  [Symbol.iterator](): Iterator<ManagedListener> {
    return this.#listeners.values();
  }

  /**
   * Listens for `endpoints` in place of the previous ones, all or nothing.
   *
   * A socket that replaces a conflicting one of this relay has to bind at once. Any other socket that cannot be bound
   * is retried.
   *
   * @returns why a socket could not replace the one in its way, in which case everything is as before; [] on success.
   */
  async replace(endpoints: readonly EndpointConfig[], handover: Handover): Promise<readonly BindFault[]> {
    const previous = this.#wanted;
    const unbound = this.#takeUnbound();
    const plan = socketPlan(
      [...this].map(({ spec }) => spec),
      wantedSockets(endpoints),
    );
    this.#wanted = new WantedEndpoints(endpoints);
    const fresh = await this.#bind(plan.bind);
    const { rebound, faults } = await this.#rebind(plan);
    if (faults.length > 0) {
      await closeAll(fresh);
      await handover.discard();
      this.#wanted = previous;
      await this.#restore(unbound);
      return faults;
    }
    await this.#commit(plan, handover);
    const contested = await this.#bind(plan.contested);
    for (const listener of [...fresh, ...rebound, ...contested]) this.#add(listener);
    this.#endLogs((endpoint) => this.#wanted.named(endpoint) === undefined);
    return [];
  }

  #limitedLog(endpoint: string): LogLimiter {
    const { log, clock } = this.#context;
    const known = this.#limitedLogs.get(endpoint) ?? new LogLimiter(log, clock, () => endpoint);
    this.#limitedLogs.set(endpoint, known);
    return known;
  }

  /** Forgets the endpoints that are gone. */
  #endLogs(isGone: (endpoint: string) => boolean): void {
    for (const [endpoint, limiter] of this.#limitedLogs) {
      if (!isGone(endpoint)) continue;
      limiter.end();
      this.#limitedLogs.delete(endpoint);
    }
  }

  /** Stops accepting; open connections continue. */
  async drain(): Promise<void> {
    this.#isStopped = true;
    this.#endLogs(() => true);
    await Promise.all([...this].map((listener) => listener.drain()));
  }

  /** Leaves new clients to a successor, which has the same sockets; open connections continue. */
  async release(): Promise<void> {
    this.#isStopped = true;
    this.#endLogs(() => true);
    await Promise.all([...this].map((listener) => listener.release()));
  }

  /** Frees every port, those of a `replace` that is still running, too. */
  async close(): Promise<void> {
    this.#isStopped = true;
    this.#endLogs(() => true);
    await closeAll([...this]);
  }

  /** A socket that waits for its next retry holds nothing: each configuration starts it afresh. */
  #takeUnbound(): ManagedListener[] {
    const unbound = [...this].filter(({ isBound }) => !isBound);
    for (const listener of unbound) {
      void listener.close();
      this.#listeners.delete(listener.spec.key);
    }
    return unbound;
  }

  async #bind(wanted: readonly WantedSocket[]): Promise<ManagedListener[]> {
    const listeners = wanted.map((spec) => new ManagedListener(spec, spec.endpoints, this.#context));
    await Promise.all(listeners.map((listener) => listener.bind()));
    return listeners;
  }

  /** Closes what is in the way of `plan.rebind` and binds that at once. After a fault the closed ones are restored. */
  async #rebind(plan: SocketPlan): Promise<{ rebound: ManagedListener[]; faults: BindFault[] }> {
    if (plan.rebind.length === 0) return { rebound: [], faults: [] };
    const closing = plan.closeFirst.map(({ key }) => key);
    const { log } = this.#context;
    log.warn(
      { closing, binding: plan.rebind.map(({ key }) => key) },
      'replacing conflicting sockets, connections may be refused for a moment',
    );
    const previous = closing.flatMap((key) => this.#listeners.get(key) ?? []);
    await closeAll(previous);
    const rebound = await this.#bind(plan.rebind);
    const faults = rebound.flatMap(({ fault }) => fault ?? []);
    if (faults.length > 0) {
      await closeAll(rebound);
      await this.#restore(previous);
    }
    return { rebound, faults };
  }

  async #restore(previous: readonly ManagedListener[]): Promise<void> {
    const restored = previous.map(
      ({ spec, endpoints }) => new ManagedListener(spec, endpoints, this.#context),
    );
    await Promise.all(restored.map((listener) => listener.bind()));
    for (const listener of restored) this.#add(listener);
  }

  /** Nothing can fail from here on. */
  async #commit(plan: SocketPlan, { commit }: Handover): Promise<void> {
    const kept = new Map<OpenListener, ServedEndpoints>();
    for (const spec of plan.keep) {
      const listener = this.#listeners.get(spec.key);
      if (listener === undefined) continue;
      listener.endpoints = spec.endpoints;
      if (listener.open !== undefined) kept.set(listener.open, spec.endpoints);
    }
    await commit(kept);
    const unwanted = [...plan.closeFirst, ...plan.close].map(({ key }) => key);
    const closing = unwanted.flatMap((key) => this.#listeners.get(key) ?? []);
    for (const key of unwanted) this.#listeners.delete(key);
    await closeAll(closing);
  }

  #add(listener: ManagedListener): void {
    this.#listeners.set(listener.spec.key, listener);
    if (this.#isStopped) void listener.close();
    listener.retryUntilBound();
  }
}

/** The endpoints of a configuration, of which there may be thousands. */
class WantedEndpoints {
  readonly all: readonly EndpointConfig[];
  readonly #byName: ReadonlyMap<string, EndpointConfig>;

  constructor(all: readonly EndpointConfig[]) {
    this.all = all;
    this.#byName = new Map(all.map((endpoint) => [endpoint.name, endpoint]));
  }

  named(name: string): EndpointConfig | undefined {
    return this.#byName.get(name);
  }
}

async function closeAll(listeners: readonly ManagedListener[]): Promise<void> {
  await Promise.all(listeners.map((listener) => listener.close()));
}
