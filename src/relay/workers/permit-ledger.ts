import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Note, PermitCount } from './messages.ts';

/** A worker, as the ledger knows it; notes grant and deny its requests. */
export type PermitHolder = { readonly send: (note: Note) => void };

/** The permits of one endpoint. */
type Entry = {
  /** Undefined until the endpoint's configuration is committed. */
  limit: { readonly maxConnections: number; readonly maxWaiting: number } | undefined;
  readonly granted: Map<PermitHolder, number>;
  /** The requests that wait for a permit, each by its holder, the oldest first. */
  queue: PermitHolder[];
  incident: { waited: number; refused: number } | undefined;
};

/**
 * The connection limits of all workers together. A permit is either free or held by one worker, and only the ledger
 * grants it: so there are never more connections than permits. The oldest request gets the next one; requests beyond
 * `maxWaiting` are denied.
 */
export class PermitLedger {
  readonly #log: Logger;
  readonly #entries = new Map<string, Entry>();
  /** While workers change to another configuration nothing is granted. */
  #isCommitting = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  acquire(holder: PermitHolder, { endpoint, count }: PermitCount): void {
    const entry = this.#entry(endpoint);
    entry.queue.push(...Array.from({ length: count }, () => holder));
    this.#settle(endpoint, entry, count);
  }

  release(holder: PermitHolder, { endpoint, count }: PermitCount): void {
    const entry = this.#entries.get(endpoint);
    if (entry === undefined) return;
    add(entry.granted, holder, -count);
    this.#settle(endpoint, entry);
  }

  /** A worker is gone: its permits are free, and its requests void. */
  holderLost(holder: PermitHolder): void {
    for (const [endpoint, entry] of this.#entries) {
      entry.granted.delete(holder);
      entry.queue = entry.queue.filter((each) => each !== holder);
      this.#settle(endpoint, entry);
    }
  }

  /** Workers are about to change to another configuration. */
  beginCommit(): void {
    this.#isCommitting = true;
  }

  /** All workers run `endpoints`. @param taken  permits that each took for connections older than the limit. */
  endCommit(
    endpoints: readonly EndpointConfig[],
    taken: ReadonlyMap<PermitHolder, ReadonlyMap<string, number>>,
  ): void {
    this.#isCommitting = false;
    for (const { name, network } of endpoints) {
      if (network.maxConnections > 0) this.#entry(name).limit = network;
      else this.#removeLimit(name);
    }
    for (const [holder, counts] of taken) {
      for (const [endpoint, count] of counts) add(this.#entry(endpoint).granted, holder, count);
    }
    for (const [endpoint, entry] of this.#entries) this.#settle(endpoint, entry);
    const names = new Set(endpoints.map(({ name }) => name));
    for (const [endpoint, { queue, granted: held }] of this.#entries) {
      if (!names.has(endpoint) && queue.length === 0 && sum(held) === 0) this.#entries.delete(endpoint);
    }
  }

  /** The planned configuration is dropped: requests for its new endpoints are denied. */
  discard(): void {
    for (const [endpoint, entry] of this.#entries) {
      if (entry.limit !== undefined) continue;
      notify('deny', endpoint, entry.queue);
      this.#entries.delete(endpoint);
    }
  }

  /** Grants everything: the endpoint has no limit any more, or is removed. */
  #removeLimit(endpoint: string): void {
    const entry = this.#entries.get(endpoint);
    if (entry === undefined) return;
    notify('grant', endpoint, entry.queue);
    this.#entries.delete(endpoint);
  }

  #entry(endpoint: string): Entry {
    const known = this.#entries.get(endpoint);
    if (known !== undefined) return known;
    const entry: Entry = { limit: undefined, granted: new Map(), queue: [], incident: undefined };
    this.#entries.set(endpoint, entry);
    return entry;
  }

  /** Grants and denies what it can. @param added  how many requests of the queue are new. */
  #settle(endpoint: string, entry: Entry, added = 0): void {
    if (entry.limit === undefined || this.#isCommitting) return;
    const { maxConnections, maxWaiting } = entry.limit;
    const before = entry.queue.length - added;
    const free = Math.max(0, maxConnections - sum(entry.granted));
    const granted = entry.queue.splice(0, free);
    for (const holder of granted) add(entry.granted, holder, 1);
    const refused = entry.queue.splice(maxWaiting);
    const left = Math.max(0, before - granted.length);
    const waited = Math.max(0, entry.queue.length - left);
    this.#logIncident(endpoint, entry, { waited, refused: refused.length });
    notify('grant', endpoint, granted);
    notify('deny', endpoint, refused);
  }

  /** Logs each incident of waiting once at its start and once at its end. */
  #logIncident(
    endpoint: string,
    entry: Entry,
    fresh: { readonly waited: number; readonly refused: number },
  ): void {
    const { queue, granted: held, limit } = entry;
    if (queue.length + fresh.refused > 0 && entry.incident === undefined) {
      this.#log.warn({ endpoint, connections: sum(held) }, 'connection limit reached');
      entry.incident = { waited: 0, refused: 0 };
    }
    if (entry.incident === undefined) return;
    if (fresh.refused > 0 && entry.incident.refused === 0) {
      this.#log.warn({ endpoint, waiting: queue.length }, 'queue full, resetting clients');
    }
    entry.incident.waited += fresh.waited;
    entry.incident.refused += fresh.refused;
    if (queue.length > 0 || sum(held) >= (limit?.maxConnections ?? Infinity)) return;
    this.#log.info({ endpoint, ...entry.incident }, 'connection limit no longer reached');
    entry.incident = undefined;
  }
}

/** Grants or denies requests, in one note per holder. */
function notify(note: 'grant' | 'deny', endpoint: string, requests: readonly PermitHolder[]): void {
  const counts = new Map<PermitHolder, number>();
  for (const holder of requests) add(counts, holder, 1);
  for (const [holder, count] of counts) holder.send({ note, endpoint, count });
}

function add(counts: Map<PermitHolder, number>, holder: PermitHolder, count: number): void {
  const sumOfHolder = (counts.get(holder) ?? 0) + count;
  if (sumOfHolder > 0) counts.set(holder, sumOfHolder);
  else counts.delete(holder);
}

function sum(counts: ReadonlyMap<PermitHolder, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
