import type { PermitClient, Permits } from '../limits/connection-limiter.ts';
import type { Note, PermitCount } from './messages.ts';

/**
 * A worker's permits of one endpoint's connection limit. For each client, served or waiting, it holds a permit or has
 * requested one; each request is granted or denied once.
 */
class EndpointPermits implements Permits {
  granted = 0;
  /** Requests that are neither granted nor denied yet. */
  requested = 0;
  readonly client: PermitClient;
  readonly #change: (requested: number, released: number) => void;
  #isLimited: boolean;

  constructor(client: PermitClient, change: (requested: number, released: number) => void) {
    this.client = client;
    this.#change = change;
    this.#isLimited = client.limit() > 0;
  }

  rebalance({ active, waiting }: { readonly active: number; readonly waiting: number }): void {
    if (!this.#isLimited) return;
    const missing = active + waiting - this.granted - this.requested;
    if (missing > 0) {
      this.requested += missing;
      this.#change(missing, 0);
      return;
    }
    const surplus = Math.min(-missing, this.granted - active);
    if (surplus <= 0) return;
    this.granted -= surplus;
    this.#change(0, surplus);
  }

  /** Grants requests. @returns how many of `count` were requested here. */
  grant(count: number): number {
    const granted = this.#settled(count);
    this.granted += granted;
    if (granted > 0) this.client.dequeue();
    return granted;
  }

  /** Denies requests. @returns how many of `count` were requested here. */
  deny(count: number): number {
    const denied = this.#settled(count);
    if (denied > 0) this.client.reject(denied);
    return denied;
  }

  /**
   * Applies a changed limit. If there was none before, open connections take permits, even more than there are.
   *
   * @returns how many it took; undefined if there is no limit, or was one before.
   */
  reconfigure(): number | undefined {
    const wasLimited = this.#isLimited;
    this.#isLimited = this.client.limit() > 0;
    if (!this.#isLimited) [this.granted, this.requested] = [0, 0];
    if (wasLimited || !this.#isLimited) return undefined;
    const taken = this.client.active();
    this.granted = taken;
    this.client.dequeue();
    return taken;
  }

  #settled(count: number): number {
    const settled = Math.min(count, this.requested);
    this.requested -= settled;
    return settled;
  }
}

/** All permits of a worker. Requests and releases go to the parent once per turn of the event loop. */
export class WorkerPermits {
  readonly #send: (note: Note) => void;
  /** By endpoint's name; the last one of a name is that of the running endpoint. */
  readonly #permits = new Map<string, EndpointPermits[]>();
  readonly #changes = new Map<string, { acquire: number; release: number }>();

  /** @param send  sends a note to the parent. */
  constructor(send: (note: Note) => void) {
    this.#send = send;
  }

  readonly permits = (endpoint: string, client: PermitClient): Permits => {
    const permits = new EndpointPermits(client, (acquire, release) => {
      this.#change(endpoint, acquire, release);
    });
    this.#permits.set(endpoint, [...(this.#permits.get(endpoint) ?? []), permits]);
    return permits;
  };

  grant({ endpoint, count }: PermitCount): void {
    let left = count;
    for (const permits of this.#permits.get(endpoint) ?? []) left -= permits.grant(left);
  }

  deny({ endpoint, count }: PermitCount): void {
    let left = count;
    for (const permits of (this.#permits.get(endpoint) ?? []).toReversed()) left -= permits.deny(left);
  }

  /** Applies the limits of a new configuration. @returns the result of `commit`. */
  reconfigure(running: ReadonlySet<string>): ReadonlyMap<string, number> {
    const taken = new Map<string, number>();
    for (const [endpoint, all] of this.#permits) {
      const last = running.has(endpoint) ? all.at(-1) : undefined;
      const count = last?.reconfigure();
      if (count !== undefined) taken.set(endpoint, count);
      const used = all.filter((permits) => permits === last || permits.granted + permits.requested > 0);
      if (used.length === 0) this.#permits.delete(endpoint);
      else this.#permits.set(endpoint, used);
    }
    return taken;
  }

  #change(endpoint: string, acquire: number, release: number): void {
    if (this.#changes.size === 0) {
      setImmediate(() => {
        this.#flush();
      });
    }
    const change = this.#changes.get(endpoint) ?? { acquire: 0, release: 0 };
    this.#changes.set(endpoint, { acquire: change.acquire + acquire, release: change.release + release });
  }

  #flush(): void {
    const changes = [...this.#changes];
    this.#changes.clear();
    for (const [endpoint, { acquire, release }] of changes) {
      if (release > 0) this.#send({ note: 'release', endpoint, count: release });
      if (acquire > 0) this.#send({ note: 'acquire', endpoint, count: acquire });
    }
  }
}
