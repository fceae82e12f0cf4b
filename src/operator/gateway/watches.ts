import { parametersKind } from '../../api/schema/gateway-parameters.ts';
import { policyKind } from '../../api/schema/traffic-policy.ts';
import type { KubeClient } from '../../kube/client.ts';
import { Informer } from '../../kube/informer.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { Resource } from '../../kube/resource.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { OutageLog } from '../../telemetry/outage-log.ts';
import { serviceResource } from '../kinds.ts';
import type { WatchProblem } from '../watches.ts';
import {
  type GatewayKind,
  gatewayKinds,
  namespaceResource,
  type OwnKind,
  type ServedKinds,
  servedKinds,
  sliceResource,
} from './kinds.ts';
import type { GatewayStores } from './stores.ts';
import { strippedNamespace, strippedService, strippedSlice } from './stripped.ts';

/** How often the API server is asked for its kinds while one is missing. */
const missingMs = 30_000;
/** The same while it has all of them. */
const completeMs = 600_000;

/** What the watches work with. */
export type GatewayWatchesOptions = {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** The namespaces that are watched; all if empty. */
  readonly namespaces: readonly string[];
  readonly stores: GatewayStores;
  /** A watch of `kind` failed; it is retried. */
  readonly onFailure: (kind: string) => void;
  /** A watch works again after failures. */
  readonly onRecovered: () => void;
  /** Everything is known that decisions depend on, or the kinds that the API server has are others. */
  readonly onReady: () => void;
};

type Wanted = {
  readonly resource: Resource;
  readonly store: Store<KubeObject>;
  readonly strip?: (object: KubeObject) => KubeObject;
  readonly isOfCluster: boolean;
  /** Whether decisions can be made without it. */
  readonly isOptional: boolean;
  /** Whether it takes memory for nothing once it is not watched. */
  readonly isLarge: boolean;
};
type Running = Wanted & {
  readonly informers: readonly { informer: Informer<KubeObject>; namespace?: string }[];
};

/**
 * The watches of Gateways: of GatewayClasses once the API server has that kind, and of all else while a GatewayClass names this
 * controller. A kind that is gone is no longer watched; what is known of its objects stays as it is, since its objects are gone
 * with it, or come back.
 */
export class GatewayWatches {
  readonly #options: GatewayWatchesOptions;
  readonly #running = new Map<string, Running>();
  readonly #ending = new Set<Promise<void>>();
  readonly #outage: OutageLog;
  #kinds: ServedKinds = new Map();
  #isStopped = false;
  #cancel: () => void = () => undefined;
  #asking: Promise<void> | undefined;

  constructor(options: GatewayWatchesOptions) {
    this.#options = options;
    this.#outage = new OutageLog(options.log, {
      failing: 'cannot ask the API server for the kinds of the Gateway API, retrying',
      working: 'the API server answers for the kinds of the Gateway API again',
    });
    options.stores.classes.subscribe(() => {
      this.#update();
    });
  }

  /** Where the API server serves each kind, as it last said. */
  get kinds(): ServedKinds {
    return this.#kinds;
  }

  /** The kinds that the API server does not serve in a version that is understood. */
  get missing(): readonly GatewayKind[] {
    return gatewayKinds.filter((kind) => !this.#kinds.has(kind));
  }

  /** Whether everything is known that decisions about Gateways depend on. */
  get isReady(): boolean {
    const { stores } = this.#options;
    return (
      this.#kinds.has('Gateway') &&
      stores.hasOwnClass() &&
      this.#wanted().every(({ resource, isOptional }) => isOptional || this.#isSynced(resource.kind))
    );
  }

  /** The watches that the API server refuses. */
  get problems(): readonly WatchProblem[] {
    return [...this.#running].flatMap(([kind, { informers }]) =>
      informers.flatMap(({ informer: { refusal }, namespace }) =>
        refusal === undefined
          ? []
          : [{ kind, problem: refusal, ...(namespace === undefined ? {} : { namespace }) }],
      ),
    );
  }

  /** Begins to ask the API server for its kinds. */
  start(): void {
    this.#ask();
  }

  /** Ends every watch. Resolves when no store changes any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    for (const kind of [...this.#running.keys()]) this.#end(kind);
    await Promise.all([this.#asking, ...this.#ending]);
  }

  /** Asks the API server for its kinds, unless that is under way. */
  #ask(): void {
    if (this.#isStopped || this.#asking !== undefined) return;
    this.#cancel();
    this.#asking = this.#look().finally(() => {
      this.#asking = undefined;
      if (this.#isStopped) return;
      const waitMs = this.missing.length > 0 ? missingMs : completeMs;
      this.#cancel = this.#options.clock.after(waitMs, () => {
        this.#ask();
      });
    });
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { client, onReady, log } = this.#options;
    try {
      const found = await servedKinds(client);
      this.#outage.worked();
      if (this.#isStopped || isSameKinds(found, this.#kinds)) return;
      log.info(
        { kinds: [...found.values()].map(({ apiVersion, kind }) => `${apiVersion} ${kind}`) },
        'kinds of the Gateway API found',
      );
      this.#kinds = found;
      this.#update();
      onReady();
    } catch (error) {
      if (!this.#isStopped) this.#outage.failed(asError(error));
    }
  }

  /** Starts and ends watches, so that those run that are wanted now. */
  #update(): void {
    if (this.#isStopped) return;
    const wanted = new Map(this.#wanted().map((each) => [each.resource.kind, each]));
    for (const [kind, { resource }] of this.#running)
      if (wanted.get(kind)?.resource.apiVersion !== resource.apiVersion) this.#end(kind);
    for (const each of wanted.values()) if (!this.#running.has(each.resource.kind)) this.#begin(each);
  }

  #wanted(): Wanted[] {
    const { stores } = this.#options;
    const classes = this.#ofKind('GatewayClass', stores.classes, true);
    if (classes.length === 0 || !this.#kinds.has('Gateway') || !stores.hasOwnClass()) return classes;
    const ofBackends = { isOfCluster: false, isOptional: false, isLarge: true };
    return [
      ...classes,
      ...this.#ofKind('Gateway', stores.gateways),
      ...this.#ofKind('TCPRoute', stores.routes.TCPRoute),
      ...this.#ofKind('TLSRoute', stores.routes.TLSRoute),
      ...this.#ofKind('UDPRoute', stores.routes.UDPRoute),
      ...this.#ofKind('ReferenceGrant', stores.grants),
      ...this.#ofKind(parametersKind, stores.parameters),
      ...this.#ofKind(policyKind, stores.policies.store),
      {
        ...ofBackends,
        resource: serviceResource,
        store: anyStore(stores.services),
        strip: anyStrip(strippedService),
      },
      {
        ...ofBackends,
        resource: sliceResource,
        store: anyStore(stores.slices),
        strip: anyStrip(strippedSlice),
      },
      {
        ...ofBackends,
        resource: namespaceResource,
        store: stores.namespaces,
        strip: strippedNamespace,
        isOfCluster: true,
        isOptional: true, // a selector then allows nobody, which is reported
      },
    ];
  }

  #ofKind<T extends KubeObject>(kind: GatewayKind | OwnKind, store: Store<T>, isOfCluster = false): Wanted[] {
    const resource = this.#kinds.get(kind);
    return resource === undefined
      ? []
      : [{ resource, store: anyStore(store), isOfCluster, isOptional: false, isLarge: false }];
  }

  #isSynced(kind: string): boolean {
    return this.#running.get(kind)?.informers.every(({ informer }) => informer.isSynced) === true;
  }

  #begin(wanted: Wanted): void {
    const { namespaces } = this.#options;
    const { kind } = wanted.resource;
    const scopes =
      wanted.isOfCluster || namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }));
    const informers = scopes.map((scope) => ({ informer: this.#informer(wanted, scope), ...scope }));
    this.#running.set(kind, { ...wanted, informers });
    for (const { informer } of informers) {
      informer.start();
      void informer.synced.then(() => {
        this.#update();
        if (this.isReady) this.#options.onReady();
      });
    }
  }

  #informer(
    { resource, store, strip }: Wanted,
    scope: { readonly namespace?: string },
  ): Informer<KubeObject> {
    const { client, clock, log, onFailure, onRecovered } = this.#options;
    return new Informer({
      client,
      clock,
      log,
      resource,
      store,
      ...scope,
      ...(strip && { strip }),
      onFailure: (error) => {
        onFailure(resource.kind);
        if (isKubeError(error, 404)) this.#ask();
      },
      onRecovered,
    });
  }

  #end(kind: string): void {
    const running = this.#running.get(kind);
    this.#running.delete(kind);
    if (running === undefined) return;
    const ending = Promise.all(running.informers.map(({ informer }) => informer.stop())).then(() => {
      this.#ending.delete(ending);
      if (running.isLarge && !this.#running.has(kind))
        for (const packed of running.store.all()) running.store.remove(packed);
    });
    this.#ending.add(ending);
  }
}

/** An informer puts in only objects of the kind of its store. */
function anyStore<T extends KubeObject>(store: Store<T>): Store<KubeObject> {
  return store as unknown as Store<KubeObject>;
}

function anyStrip<T extends KubeObject>(strip: (object: T) => T): (object: KubeObject) => KubeObject {
  return strip as unknown as (object: KubeObject) => KubeObject;
}

function isSameKinds(a: ServedKinds, b: ServedKinds): boolean {
  return (
    a.size === b.size && [...a].every(([kind, { apiVersion }]) => b.get(kind)?.apiVersion === apiVersion)
  );
}
