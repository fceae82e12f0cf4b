import type { PermitClient, Permits } from '../limits/connection-limiter.ts';
import type { Note, PermitCount } from './messages.ts';

/**
 * What a worker holds of the places of a connection limit. For each client, served or waiting, it holds a place
 * or has asked for one; each request is granted or denied once.
 */
class EndpointPermits implements Permits {
  granted = 0;
  /** Asks that are not answered. */
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

  /** Answers asks with places. @returns how many of `count` were asked for here. */
  grant(count: number): number {
    const granted = this.#settled(count);
    this.granted += granted;
    if (granted > 0) this.client.dequeue();
    return granted;
  }

  /** Answers asks with a refusal. @returns how many of `count` were asked for here. */
  deny(count: number): number {
    const denied = this.#settled(count);
    if (denied > 0) this.client.reject(denied);
    return denied;
  }

  /**
   * The limit may be another one: where there was none, what is open takes places whether there are any or not.
   *
   * @returns how many it took; undefined where there is no limit, or was one before.
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
    const answered = Math.min(count, this.requested);
    this.requested -= answered;
    return answered;
  }
}

/** The permits of a worker: what its endpoints request and release is sent to the parent once a turn of the event loop. */
export class WorkerPermits {
  readonly #send: (note: Note) => void;
  /** By endpoint; of those with one name the one that runs is the last. */
  readonly #permits = new Map<string, EndpointPermits[]>();
  readonly #changes = new Map<string, { acquire: number; release: number }>();

  /** @param tell  tells the parent. */
  constructor(tell: (note: Note) => void) {
    this.#send = tell;
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

  /** Takes the limits of a new configuration. @returns as the answer to `commit`. */
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
