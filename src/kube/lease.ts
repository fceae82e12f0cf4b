import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import { sleep } from '../lib/sleep.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Fence } from './fence.ts';
import { isKubeError } from './kube-error.ts';
import type { KubeObject } from './object.ts';
import { collectionPath, objectPath, type Resource } from './resource.ts';
import type { KubeClient } from './client.ts';

const resource: Resource = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases' };

/** Which lease is held, by whom, and for how long. */
export type LeaseTerms = {
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: not even the previous process of the same Pod had it. */
  readonly identity: string;
  /** How long others wait before they take the lease from a silent holder, in milliseconds; a whole number of seconds. */
  readonly durationMs: number;
};

/** What a lease works with. */
export type LeaseOptions = LeaseTerms & {
  /** A client of its own, so that no other request delays a renewal. */
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
};

type LeaseObject = KubeObject & {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
  };
};

/**
 * A lease that one process holds at a time, for one term: it is acquired once, and then lost or released once.
 *
 * **Guarantee.** While `holds()` returns true, no other process that follows these rules holds the lease.
 *
 * **How.** The holder measures its time on its monotonic clock, from before it sent the last renewal that the API server
 * accepted, and stops at two thirds of the duration. Another process takes the lease only if it has seen no change of it for
 * the whole duration, on its own monotonic clock, measured from after it read the lease; of two that do, the resource
 * version lets one through. So clocks may show any time; they only have to run equally fast, within a third. Requests under
 * way when the term ends are cancelled, which leaves a third of the duration for those that were already sent to arrive.
 *
 * **Not covered.** A machine that is suspended, monotonic clock included, in the microseconds between `holds()` and the send.
 */
export class Lease implements Fence {
  readonly #options: LeaseOptions;
  readonly #stopped = new AbortController();
  readonly #term = new AbortController();
  readonly #acquired = Promise.withResolvers<undefined>();
  readonly #lost = Promise.withResolvers<undefined>();
  #running: Promise<void> | undefined;
  /** The lease as we last wrote it; undefined if it has to be read first. */
  #written: LeaseObject | undefined;
  /** When the term ends unless it is renewed, in monotonic ms; undefined before it has begun. */
  #untilMs: number | undefined;
  #cancelEnd: () => void = () => undefined;
  /** The lease of another holder as last read, and since when it has not changed. */
  #observed = { version: '', sinceMs: 0 };

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Resolves once the lease is held. */
  get acquired(): Promise<undefined> {
    return this.#acquired.promise;
  }

  /** Resolves once the lease is lost: no longer held, though it was not released. */
  get lost(): Promise<undefined> {
    return this.#lost.promise;
  }

  get signal(): AbortSignal {
    return this.#term.signal;
  }

  holds(): boolean {
    const { clock } = this.#options;
    return this.#untilMs !== undefined && clock.monotonicMs() < this.#untilMs && !this.#term.signal.aborted;
  }

  /** Starts trying to acquire the lease. A second call does nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Releases the lease if it is held, so that the next holder need not wait. No fenced request may be under way. */
  async release(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    const held = this.holds() ? this.#written : undefined;
    this.#cancelEnd();
    this.#term.abort();
    if (held === undefined) return;
    await this.#patch(held, { holderIdentity: '', leaseDurationSeconds: 1 }).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'failed to release lease');
    });
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    const over = AbortSignal.any([this.#stopped.signal, this.#term.signal]);
    while (!over.aborted) {
      const waitMs = await this.#attempt().catch((error: unknown) => {
        if (!over.aborted) log.warn({ err: asError(error) }, 'failed to renew lease, retrying');
        return this.#retryMs;
      });
      await sleep(clock, waitMs, over);
    }
  }

  /** One attempt. Resolves with how long to wait before the next, in milliseconds. */
  async #attempt(): Promise<number> {
    const { clock, durationMs } = this.#options;
    const lease = this.#written ?? (await this.#read());
    if (!this.#mayTake(lease)) return this.#retryMs;
    const startMs = clock.monotonicMs();
    try {
      this.#written = await (lease === undefined ? this.#create() : this.#take(lease));
    } catch (error) {
      this.#written = undefined; // the write may have succeeded all the same, so the lease is read again
      if (isKubeError(error, 409)) return this.#retryMs;
      throw error;
    }
    this.#prolong(startMs + (durationMs * 2) / 3);
    return durationMs / 5;
  }

  get #retryMs(): number {
    return (this.#options.durationMs * 2) / 15;
  }

  #mayTake(lease: LeaseObject | undefined): boolean {
    const holder = lease?.spec?.holderIdentity ?? '';
    if (holder === this.#options.identity) return true;
    if (this.#untilMs !== undefined) return this.#mayGoOn(lease);
    const isReleased = lease !== undefined && holder === '';
    return isReleased || this.#isAbandoned(lease);
  }

  /** Whether there never was a lease, or its holder is silent. If it was deleted, its holder may not know of that yet. */
  #isAbandoned(lease: LeaseObject | undefined): boolean {
    const isFirst = lease === undefined && this.#observed.version === '';
    const seconds = lease?.spec?.leaseDurationSeconds ?? this.#options.durationMs / 1000;
    return isFirst || this.#unchangedMs(lease) >= seconds * 1000;
  }

  /** Whether our term continues although the lease does not name us: yes if it was deleted, no if another process took it. */
  #mayGoOn(lease: LeaseObject | undefined): boolean {
    if (lease !== undefined) this.#end();
    return this.holds();
  }

  #unchangedMs(lease: LeaseObject | undefined): number {
    const { uid = 'deleted', resourceVersion = '' } = lease?.metadata ?? {};
    const version = `${uid} ${resourceVersion}`;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#observed.version !== version) this.#observed = { version, sinceMs: nowMs };
    return nowMs - this.#observed.sinceMs;
  }

  #prolong(untilMs: number): void {
    const { clock, log, identity } = this.#options;
    const isNew = this.#untilMs === undefined;
    this.#untilMs = untilMs;
    this.#cancelEnd();
    this.#cancelEnd = clock.after(Math.max(0, untilMs - clock.monotonicMs()), () => {
      this.#end();
    });
    if (!isNew) return;
    log.info({ identity }, 'lease acquired');
    this.#acquired.resolve(undefined);
  }

  #end(): void {
    if (this.#term.signal.aborted) return;
    this.#cancelEnd();
    this.#term.abort();
    this.#options.log.error({ identity: this.#options.identity }, 'lease lost');
    this.#lost.resolve(undefined);
  }

  async #read(): Promise<LeaseObject | undefined> {
    const { client, namespace, name } = this.#options;
    const path = objectPath(resource, { ...resource, metadata: { name, namespace } });
    return (await client.find(path, this.#timeoutMs())) as LeaseObject | undefined;
  }

  async #create(): Promise<LeaseObject> {
    const { client, namespace, name } = this.#options;
    const { apiVersion, kind } = resource;
    const body = { apiVersion, kind, metadata: { name, namespace }, spec: this.#newTerm(0) };
    const path = collectionPath(resource, namespace);
    const timeoutMs = this.#timeoutMs();
    return (await client.request({ method: 'POST', path, body, timeoutMs })) as LeaseObject;
  }

  #take(lease: LeaseObject): Promise<LeaseObject> {
    const { spec = {} } = lease;
    if (spec.holderIdentity === this.#options.identity) return this.#patch(lease, {});
    return this.#patch(lease, this.#newTerm((spec.leaseTransitions ?? 0) + 1));
  }

  #newTerm(leaseTransitions: number): object {
    const { identity, durationMs, clock } = this.#options;
    const now = microTime(clock.now());
    const leaseDurationSeconds = durationMs / 1000;
    return {
      holderIdentity: identity,
      leaseDurationSeconds,
      acquireTime: now,
      renewTime: now,
      leaseTransitions,
    };
  }

  /** Patches `lease`, if it has not changed since. */
  async #patch(lease: LeaseObject, spec: object): Promise<LeaseObject> {
    const { client, clock } = this.#options;
    const { uid, resourceVersion } = lease.metadata;
    return (await client.request({
      method: 'PATCH',
      path: objectPath(resource, lease),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion }, spec: { renewTime: microTime(clock.now()), ...spec } },
      timeoutMs: this.#timeoutMs(),
    })) as LeaseObject;
  }

  #timeoutMs(): number {
    return this.#options.durationMs / 5;
  }
}

/** Kubernetes' MicroTime has six digits. The time is for people; no decision depends on it. */
function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
