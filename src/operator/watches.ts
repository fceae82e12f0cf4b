import { Informer, type InformerOptions } from '../kube/informer.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Clock } from '../lib/clock.ts';
import { relayResource } from './kinds.ts';

/** How long reconciles wait for a watch that neither lists its objects nor fails, once RealmRelays are listed. */
const patienceMs = 30_000;

/** A watch that does not work, so that nothing is known of its objects, or what is known grows old. */
export type WatchProblem = {
  readonly kind: string;
  /** All namespaces if absent. */
  readonly namespace?: string;
  readonly problem: string;
};

/** `problem` as one clause for people, with the remedy. */
export function watchText({ kind, namespace, problem }: WatchProblem): string {
  const where = namespace === undefined ? '' : ` in namespace "${namespace}"`;
  return `the operator cannot watch ${kind} objects${where} (${problem}): grant its account get, list and watch`;
}

/** What the watches report. */
export type WatchesObserver = {
  /** A watch failed; it is retried. */
  readonly failed: (kind: string) => void;
  /** A watch works again after failures. */
  readonly recovered: (kind: string) => void;
  /** The API server refuses a watch, or no longer does, so that what a status says of it is another. */
  readonly changed: (namespace: string | undefined) => void;
};

type Informed = Omit<InformerOptions<KubeObject>, 'onFailure' | 'onRecovered'>;

type Watched = {
  readonly informer: Informer<KubeObject>;
  readonly kind: string;
  readonly namespace?: string;
};

/**
 * The informers of the operator. None holds up the others: work starts when the RealmRelays of one namespace are listed and
 * each other kind is listed, is refused, or has kept everyone waiting for 30 s.
 */
export class Watches {
  readonly #watched: readonly Watched[];
  readonly #clock: Clock;
  readonly #observer: WatchesObserver;
  readonly #ready = Promise.withResolvers<undefined>();
  /** Those whose refusal was reported. */
  readonly #refused = new Set<Watched>();
  #isReady = false;
  #cancelPatience: (() => void) | undefined;

  constructor(watches: readonly Informed[], clock: Clock, observer: WatchesObserver) {
    this.#clock = clock;
    this.#observer = observer;
    this.#watched = watches.map((options) => {
      const watched: Watched = {
        informer: new Informer({
          ...options,
          onFailure: () => {
            observer.failed(watched.kind);
            this.#update(watched);
          },
          onRecovered: () => {
            observer.recovered(watched.kind);
            this.#update(watched);
          },
        }),
        kind: options.resource.kind,
        ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      };
      return watched;
    });
  }

  /** Resolves when reconciles may start. */
  get ready(): Promise<undefined> {
    return this.#ready.promise;
  }

  /** Whether reconciles may start. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** The watches that do not work, in a constant order; empty as long as they are only starting. */
  get problems(): readonly WatchProblem[] {
    return this.#watched.flatMap(({ informer, kind, namespace }) => {
      const problem = informer.refusal ?? (this.#isReady && !informer.isSynced ? 'no answer' : undefined);
      return problem === undefined
        ? []
        : [{ kind, problem, ...(namespace === undefined ? {} : { namespace }) }];
    });
  }

  /** Starts every informer. */
  start(): void {
    for (const { informer } of this.#watched) {
      informer.start();
      void informer.synced.then(() => {
        this.#tryReady();
      });
    }
  }

  /** Ends every informer. Resolves when no store changes any more. */
  async stop(): Promise<void> {
    this.#cancelPatience?.();
    await Promise.all(this.#watched.map(({ informer }) => informer.stop()));
  }

  #update(watched: Watched): void {
    const isRefused = watched.informer.refusal !== undefined;
    if (isRefused === this.#refused.has(watched)) return;
    if (isRefused) this.#refused.add(watched);
    else this.#refused.delete(watched);
    this.#observer.changed(watched.namespace);
    this.#tryReady();
  }

  #tryReady(isOver = false): void {
    const hasRelays = this.#watched.some(
      ({ informer, kind }) => kind === relayResource.kind && informer.isSynced,
    );
    if (this.#isReady || !hasRelays) return;
    const isSettled = this.#watched.every(
      ({ informer }) => informer.isSynced || informer.refusal !== undefined,
    );
    if (!isSettled && !isOver) {
      this.#cancelPatience ??= this.#clock.after(patienceMs, () => {
        this.#tryReady(true);
      });
      return;
    }
    this.#cancelPatience?.();
    this.#isReady = true;
    this.#ready.resolve(undefined);
  }
}
