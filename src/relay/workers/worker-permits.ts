import type { PermitClient, Permits } from '../limits/connection-limiter.ts';
import type { Note, Places } from './messages.ts';

/**
 * What a worker holds of the places of a connection limit. For each client, served or waiting, it holds a place
 * or has asked for one; each ask is answered once, by a place or by a refusal.
 */
class WorkerLease implements Permits {
  granted = 0;
  /** Asks that are not answered. */
  asked = 0;
  readonly borrower: PermitClient;
  readonly #change: (asked: number, givenBack: number) => void;
  #isLimited: boolean;

  constructor(borrower: PermitClient, change: (asked: number, givenBack: number) => void) {
    this.borrower = borrower;
    this.#change = change;
    this.#isLimited = borrower.limit() > 0;
  }

  rebalance({ active, waiting }: { readonly active: number; readonly waiting: number }): void {
    if (!this.#isLimited) return;
    const missing = active + waiting - this.granted - this.asked;
    if (missing > 0) {
      this.asked += missing;
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
    const granted = this.#answered(count);
    this.granted += granted;
    if (granted > 0) this.borrower.dequeue();
    return granted;
  }

  /** Answers asks with a refusal. @returns how many of `count` were asked for here. */
  dismiss(count: number): number {
    const dismissed = this.#answered(count);
    if (dismissed > 0) this.borrower.reject(dismissed);
    return dismissed;
  }

  /**
   * The limit may be another one: where there was none, what is open takes places whether there are any or not.
   *
   * @returns how many it took; undefined where there is no limit, or was one before.
   */
  reconfigure(): number | undefined {
    const wasLimited = this.#isLimited;
    this.#isLimited = this.borrower.limit() > 0;
    if (!this.#isLimited) [this.granted, this.asked] = [0, 0];
    if (wasLimited || !this.#isLimited) return undefined;
    const taken = this.borrower.active();
    this.granted = taken;
    this.borrower.dequeue();
    return taken;
  }

  #answered(count: number): number {
    const answered = Math.min(count, this.asked);
    this.asked -= answered;
    return answered;
  }
}

/** The leases of a worker: what they ask for and give back goes to the parent once a turn of the event loop. */
export class Leases {
  readonly #tell: (note: Note) => void;
  /** By endpoint; of those with one name the one that runs is the last. */
  readonly #leases = new Map<string, WorkerLease[]>();
  readonly #changes = new Map<string, { ask: number; giveBack: number }>();

  /** @param tell  tells the parent. */
  constructor(tell: (note: Note) => void) {
    this.#tell = tell;
  }

  readonly lease = (endpoint: string, borrower: PermitClient): Permits => {
    const lease = new WorkerLease(borrower, (ask, giveBack) => {
      this.#change(endpoint, ask, giveBack);
    });
    this.#leases.set(endpoint, [...(this.#leases.get(endpoint) ?? []), lease]);
    return lease;
  };

  grant({ endpoint, count }: Places): void {
    let left = count;
    for (const lease of this.#leases.get(endpoint) ?? []) left -= lease.grant(left);
  }

  dismiss({ endpoint, count }: Places): void {
    let left = count;
    for (const lease of (this.#leases.get(endpoint) ?? []).toReversed()) left -= lease.dismiss(left);
  }

  /** Takes the limits of a new configuration. @returns as the answer to `commit`. */
  reconfigure(running: ReadonlySet<string>): ReadonlyMap<string, number> {
    const taken = new Map<string, number>();
    for (const [endpoint, leases] of this.#leases) {
      const last = running.has(endpoint) ? leases.at(-1) : undefined;
      const count = last?.reconfigure();
      if (count !== undefined) taken.set(endpoint, count);
      const used = leases.filter((lease) => lease === last || lease.granted + lease.asked > 0);
      if (used.length === 0) this.#leases.delete(endpoint);
      else this.#leases.set(endpoint, used);
    }
    return taken;
  }

  #change(endpoint: string, ask: number, giveBack: number): void {
    if (this.#changes.size === 0) {
      setImmediate(() => {
        this.#flush();
      });
    }
    const change = this.#changes.get(endpoint) ?? { ask: 0, giveBack: 0 };
    this.#changes.set(endpoint, { ask: change.ask + ask, giveBack: change.giveBack + giveBack });
  }

  #flush(): void {
    const changes = [...this.#changes];
    this.#changes.clear();
    for (const [endpoint, { ask, giveBack }] of changes) {
      if (giveBack > 0) this.#tell({ note: 'giveBack', endpoint, count: giveBack });
      if (ask > 0) this.#tell({ note: 'ask', endpoint, count: ask });
    }
  }
}
