import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { sleep } from '../lib/sleep.ts';
import type { Logger } from '../telemetry/logger.ts';
import { OutageLog } from '../telemetry/outage-log.ts';
import { KubeError } from './kube-error.ts';
import { list } from './list.ts';
import { isLater, type KubeObject, type ObjectKey } from './object.ts';
import type { PackedObject } from './packed-object.ts';
import { collectionPath, type Resource } from './resource.ts';
import type { Store } from './store.ts';
import type { KubeClient } from './client.ts';
import { watch, type WatchEvent } from './watch.ts';

const backoff: Backoff = { initialMs: 500, maxMs: 30_000 };
/** While there is no answer at all, as while the API server restarts: a try costs nobody anything. */
const awayBackoff: Backoff = { initialMs: 500, maxMs: 5_000 };
/** Watches are requested for this long, up to twice as long, so that those of many informers do not end together. */
const watchSeconds = 120;
/** A watch that ends sooner without an event counts as failed: something in between does not let watches pass. */
const minWatchMs = 1_000;
/** After this many failures in a row, the informer lists everything again. */
const failuresBeforeRelist = 5;

/** What an informer watches, and what it works with. */
export type InformerOptions<T extends KubeObject> = {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly resource: Resource;
  /** Only this namespace; all namespaces if absent. */
  readonly namespace?: string;
  /** Only objects with these labels, as in `kubectl -l`. */
  readonly labelSelector?: string;
  /** Reduces an object to what is kept; by default all of it but its managed fields. */
  readonly strip?: (object: T) => T;
  /** The store that the informer keeps up to date. */
  readonly store: Store<T>;
  /** Called after every failure. */
  readonly onFailure?: (error: Error) => void;
  /** Called when the watch works again after failures. */
  readonly onRecovered?: () => void;
  /** In [0, 1), for the jitter; default `Math.random`. */
  readonly random?: () => number;
};

/**
 * Keeps a store equal to what the API server has.
 *
 * It starts with a watch that reports all existing objects first (or with a list, if the server does not support that),
 * continues from there, and retries after every failure with growing waits. It never gives up; only `stop` ends it. Of
 * failures in a row, each kind is logged once, and so is that the watch works again.
 */
export class Informer<T extends KubeObject> {
  readonly #options: InformerOptions<T>;
  readonly #path: string;
  readonly #query: Readonly<Record<string, string>>;
  readonly #stopped = new AbortController();
  readonly #synced = Promise.withResolvers<undefined>();
  #isSynced = false;
  #running: Promise<void> | undefined;
  /** Where to continue watching; undefined: start from the beginning. */
  #resourceVersion: string | undefined;
  #watchList = true;
  #failures = 0;
  #refusal: string | undefined;
  readonly #outage: OutageLog;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    const { log, resource, namespace } = options;
    this.#path = collectionPath(resource, namespace);
    this.#outage = new OutageLog(
      log,
      { failing: 'watch failed, retrying', working: 'watch works again' },
      { kind: resource.kind, namespace },
    );
    this.#query = options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector };
  }

  /** Resolves once the store is complete for the first time. */
  get synced(): Promise<undefined> {
    return this.#synced.promise;
  }

  /** Whether the store has been complete once. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Why the API server refuses the watch, if it does and did not change its mind since: a missing right or kind. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Starts the watch. A second call does nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the watch. Resolves when the store no longer changes. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const waitMs = await this.#watchOnce();
      if (waitMs > 0) await sleep(this.#options.clock, waitMs, this.#stopped.signal);
    }
  }

  /** Runs one watch. Resolves with how long to wait before the next, in milliseconds. */
  async #watchOnce(): Promise<number> {
    const startMs = this.#options.clock.monotonicMs();
    try {
      if (this.#resourceVersion === undefined && !this.#watchList) await this.#relist();
      await this.#readEvents();
      if (this.#options.clock.monotonicMs() - startMs < minWatchMs) throw new WatchEndedError();
      this.#worked();
      return 0;
    } catch (error) {
      return this.#stopped.signal.aborted ? 0 : this.#failed(asError(error));
    }
  }

  #failed(error: Error): number {
    const { random = Math.random, onFailure } = this.#options;
    if (this.#refusesWatchList(error)) {
      this.#watchList = false;
      return 0;
    }
    this.#failures += 1;
    if (isOutdated(error) || this.#failures % failuresBeforeRelist === 0) this.#resourceVersion = undefined;
    const requestedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(requestedMs, backoffMs(backoffAfter(error), this.#failures, random()));
    this.#refusal = isRefusal(error) ? error.message : undefined;
    this.#outage.failed(error, { waitMs });
    onFailure?.(error);
    return waitMs;
  }

  #worked(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#refusal = undefined;
    this.#outage.worked();
    this.#options.onRecovered?.();
  }

  /** Servers before 1.32, or with the feature off, reject `sendInitialEvents` as forbidden or invalid. */
  #refusesWatchList(error: Error): boolean {
    const atStart = this.#watchList && this.#resourceVersion === undefined;
    return atStart && error instanceof KubeError && (error.status === 422 || error.status === 400);
  }

  async #relist(): Promise<void> {
    const { client, resource } = this.#options;
    const { signal } = this.#stopped;
    const { objects, resourceVersion } = await list(client, {
      resource,
      path: this.#path,
      query: this.#query,
      signal,
    });
    this.#complete(
      (objects as T[]).map((object) => this.#packed({ object })),
      resourceVersion,
    );
  }

  async #readEvents(): Promise<void> {
    const { client, clock, random = Math.random } = this.#options;
    const { signal } = this.#stopped;
    const timeoutSeconds = Math.round(watchSeconds * (1 + random()));
    const query = { ...this.#query, ...this.#position() };
    // Initial events are collected first, so that objects deleted while there was no watch are noticed.
    let initial = this.#resourceVersion === undefined ? new Map<ObjectKey, PackedObject<T>>() : undefined;
    let cancel = (): void => undefined;
    // Without events, a watch works once it has lasted for a while.
    const onOpen = (): void => {
      if (initial === undefined)
        cancel = clock.after(minWatchMs, () => {
          this.#worked();
        });
    };
    const request = { path: this.#path, query, timeoutSeconds, signal, onOpen };
    try {
      for await (const event of watch<T>(client, clock, request)) {
        if (initial === undefined) {
          this.#handle(event);
        } else if (this.#collect(event, initial)) {
          initial = undefined;
        }
      }
    } finally {
      cancel();
    }
  }

  #position(): Readonly<Record<string, string>> {
    if (this.#resourceVersion !== undefined) return { resourceVersion: this.#resourceVersion };
    return { sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' };
  }

  /** Adds an initial event to `initial`. Returns whether it was the last one. */
  #collect(event: WatchEvent<T>, initial: Map<ObjectKey, PackedObject<T>>): boolean {
    if (event.type === 'BOOKMARK') {
      if (event.initialEnd) this.#complete([...initial.values()], event.resourceVersion);
      return event.initialEnd;
    }
    const packed = this.#packed(event);
    if (event.type === 'DELETED') initial.delete(packed.key);
    if (event.type !== 'DELETED') initial.set(packed.key, packed);
    return false;
  }

  #handle(event: WatchEvent<T>): void {
    const { store } = this.#options;
    if (event.type === 'BOOKMARK') {
      this.#advance(event.resourceVersion);
      return;
    }
    const packed = this.#packed(event);
    if (event.type === 'DELETED') store.remove(packed);
    if (event.type !== 'DELETED') store.set(packed);
    this.#advance(packed.resourceVersion ?? '');
  }

  #packed({ object, text }: { readonly object: T; readonly text?: string | undefined }): PackedObject<T> {
    const { store, strip } = this.#options;
    return strip === undefined ? store.pack(object, text) : store.pack(strip(object));
  }

  #advance(resourceVersion: string): void {
    // Only a server whose data was restored from a backup goes back; it would send no events until it has caught up.
    if (isLater(this.#resourceVersion, resourceVersion)) throw new OutdatedError();
    this.#resourceVersion = resourceVersion;
    this.#worked();
  }

  #complete(objects: readonly PackedObject<T>[], resourceVersion: string): void {
    const { store, namespace, resource, log } = this.#options;
    store.replace(objects, resourceVersion, namespace);
    this.#resourceVersion = resourceVersion;
    this.#isSynced = true;
    this.#synced.resolve(undefined);
    log.debug({ kind: resource.kind, namespace, objects: objects.length }, 'objects listed');
    this.#worked();
  }
}

/** The server is at an earlier resource version than the informer. */
class OutdatedError extends RealmError {
  readonly code = 'REALM_WATCH_OUTDATED';

  constructor() {
    super('the API server is at an earlier resource version than before');
  }
}

/** The server accepts watches and ends them at once. */
class WatchEndedError extends RealmError {
  readonly code = 'REALM_WATCH_ENDED';

  constructor() {
    super('the watch ended immediately');
  }
}

function backoffAfter(error: Error): Backoff {
  const isAnswer = error instanceof KubeError || error instanceof WatchEndedError;
  return isAnswer ? backoff : awayBackoff;
}

/** Whether the watch cannot continue from here: the server no longer has that resource version, or does not have it yet. */
function isOutdated(error: Error): boolean {
  if (error instanceof OutdatedError) return true;
  return error instanceof KubeError && [400, 410, 504].includes(error.status);
}

/** Whether the server will answer the same until someone grants a right or installs a kind. */
function isRefusal(error: Error): boolean {
  return error instanceof KubeError && [401, 403, 404, 405].includes(error.status);
}
