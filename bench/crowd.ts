import { parseRealmRelay } from '../src/api/parse.ts';
import type { RealmRelaySpec } from '../src/api/schema/realm-relay.ts';
import { desiredObjects } from '../src/desired/desired-objects.ts';
import { Informer } from '../src/kube/informer.ts';
import { kubeConfigLoader } from '../src/kube/kube-config.ts';
import { isLater, type KubeObject, type ObjectKey } from '../src/kube/object.ts';
import { collectionPath, objectPath, type Resource } from '../src/kube/resource.ts';
import { Store } from '../src/kube/store.ts';
import { KubeClient } from '../src/kube/client.ts';
import { systemClock } from '../src/lib/clock.ts';
import { relayResource, ownedResources } from '../src/operator/kinds.ts';
import { createLogger } from '../src/telemetry/logger.ts';

const manager = { fieldManager: 'bench', force: 'true' };
const applyType = 'application/apply-patch+yaml';
const relayImage = 'registry.example/realm-relay:bench';
/** The kinds that a RealmRelay of this benchmark owns. */
const childKinds = ['ConfigMap', 'Deployment', 'Service'];
/** Concurrent requests while many relays are created. */
const atOnce = 8;

type Waiter = { readonly isMet: () => boolean; readonly resolve: () => void };

/** Many RealmRelays in one namespace, with a client that creates and edits them and watches the results. */
export class Crowd {
  readonly namespace: string;
  readonly #client: KubeClient;
  readonly #informers: readonly Informer<KubeObject>[];
  readonly #stores = new Map<string, Store<KubeObject>>();
  readonly #waiters = new Set<Waiter>();
  #count = 0;

  /** @param kubeconfig  of an administrator. */
  constructor(kubeconfig: string, namespace: string) {
    this.namespace = namespace;
    this.#client = new KubeClient(kubeConfigLoader({ file: kubeconfig }), systemClock);
    this.#informers = [relayResource, ...ownedResources].map((resource) => this.#informer(resource));
  }

  /** The number of RealmRelays that it has created. */
  get size(): number {
    return this.#count;
  }

  /** Starts the watches. */
  async start(): Promise<void> {
    for (const informer of this.#informers) informer.start();
    await Promise.all(this.#informers.map(({ synced }) => synced));
  }

  /** Stops the watches; the objects remain. */
  async stop(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.stop()));
    await this.#client.close();
  }

  /** Creates RealmRelays until there are `size`, several at a time, and resolves when all are programmed. */
  async growTo(size: number): Promise<void> {
    const work = async (): Promise<void> => {
      while (this.#count < size) await this.#create();
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    const names = Array.from({ length: size }, (_, index) => relayName(index));
    let done = 0;
    await this.#until(() => {
      while (done < size && this.#isProgrammed(names[done] ?? '')) done += 1;
      return done === size;
    });
  }

  /** Creates one and resolves with the milliseconds until its three children exist. */
  async createOne(): Promise<number> {
    const startMs = performance.now();
    const name = await this.#create();
    await this.#until(() => this.#children(name).every((child) => child !== undefined));
    return performance.now() - startMs;
  }

  /** Edits the one with this index and resolves with the milliseconds until its ConfigMap and Service have changed. */
  async editOne(index: number, port: number): Promise<number> {
    const name = relayName(index);
    const [before] = [this.#versions(name)];
    const startMs = performance.now();
    await this.#apply(relayResource, realmRelay(name, this.namespace, port));
    await this.#until(() => this.#versions(name).every((version, place) => version !== before[place]));
    return performance.now() - startMs;
  }

  /**
   * Creates the objects of a RealmRelay one after the other, without the operator; resolves with the duration in
   * milliseconds.
   */
  async createBare(name: string): Promise<number> {
    const { relay } = parseRealmRelay(realmRelay(name, this.namespace, 8443));
    if (relay === undefined) throw new Error('the benchmark has no valid RealmRelay');
    const startMs = performance.now();
    for (const object of desiredObjects(relay, {
      relayImage,
      relayEngine: 'auto' as const,
      operatorNamespace: 'operators',
      deniedDestinations: [],
    })) {
      const resource = ownedResources.find(({ kind }) => kind === object.kind);
      if (resource !== undefined) await this.#apply(resource, object);
    }
    return performance.now() - startMs;
  }

  /**
   * Changes the Service of the RealmRelay with this index whenever the operator has repaired it, until `signal` is aborted.
   *
   * @returns the number of repairs.
   */
  async fight(index: number, signal: AbortSignal): Promise<number> {
    const service = ownedResources.find(({ kind }) => kind === 'Service') ?? relayResource;
    const object = { ...service, metadata: { name: relayName(index), namespace: this.namespace } };
    let rounds = 0;
    for (; !signal.aborted; rounds += 1) {
      const answer = (await this.#client.request({
        method: 'PATCH',
        path: objectPath(service, object),
        contentType: 'application/json-patch+json',
        body: [{ op: 'replace', path: '/spec/ports/0/targetPort', value: 1 }],
      })) as KubeObject;
      const { resourceVersion } = answer.metadata;
      await this.#until(
        () => signal.aborted || isLater(this.#version('Service', object.metadata.name), resourceVersion),
        signal,
      );
    }
    return rounds;
  }

  async #create(): Promise<string> {
    const name = relayName(this.#count);
    this.#count += 1;
    const body = realmRelay(name, this.namespace, 8443);
    await this.#client.request({
      method: 'POST',
      path: collectionPath(relayResource, this.namespace),
      body,
    });
    return name;
  }

  async #apply(resource: Resource, object: KubeObject): Promise<void> {
    const path = objectPath(resource, object);
    await this.#client.request({
      method: 'PATCH',
      path,
      query: manager,
      body: object,
      contentType: applyType,
    });
  }

  #children(name: string): (KubeObject | undefined)[] {
    return childKinds.map((kind) => this.#find(kind, kind === 'ConfigMap' ? `${name}-config` : name));
  }

  /** The versions of the objects that an edit of an endpoint changes. */
  #versions(name: string): (string | undefined)[] {
    return [this.#version('ConfigMap', `${name}-config`), this.#version('Service', name)];
  }

  #version(kind: string, name: string): string | undefined {
    return this.#find(kind, name)?.metadata.resourceVersion;
  }

  #isProgrammed(name: string): boolean {
    const relay = this.#find('RealmRelay', name) as Kept | undefined;
    return relay?.isProgrammed === true;
  }

  #find(kind: string, name: string): KubeObject | undefined {
    const key: ObjectKey = `${this.namespace}/${name}`;
    return this.#stores.get(kind)?.get(key);
  }

  #informer(resource: Resource): Informer<KubeObject> {
    const store = new Store<KubeObject>();
    store.subscribe(() => {
      for (const waiter of this.#waiters) if (waiter.isMet()) this.#done(waiter);
    });
    this.#stores.set(resource.kind, store);
    return new Informer({
      client: this.#client,
      clock: systemClock,
      log: createLogger('error'),
      resource,
      namespace: this.namespace,
      store,
      strip: kept,
    });
  }

  #until(isMet: () => boolean, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const waiter: Waiter = {
      isMet,
      resolve: () => {
        resolve(undefined);
      },
    };
    this.#waiters.add(waiter);
    signal?.addEventListener('abort', () => {
      this.#done(waiter);
    });
    if (isMet()) this.#done(waiter);
    return promise;
  }

  #done(waiter: Waiter): void {
    this.#waiters.delete(waiter);
    waiter.resolve();
  }
}

type Kept = KubeObject & { readonly isProgrammed: boolean };

/** The parts of an object that the client stores: its identity, and whether it is programmed. */
function kept(object: KubeObject): Kept {
  const { status } = object as { status?: { conditions?: readonly { type: string; status: string }[] } };
  const isProgrammed =
    status?.conditions?.some(({ type, status }) => type === 'Programmed' && status === 'True') ?? false;
  const { name, namespace = '', uid = '', resourceVersion = '' } = object.metadata;
  const { apiVersion, kind } = object;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, isProgrammed };
}

function relayName(index: number): string {
  return `relay-${String(index)}`;
}

/** A RealmRelay without Pods, so that only the operator and the API server load the machine. */
function realmRelay(name: string, namespace: string, port: number): KubeObject & { spec: RealmRelaySpec } {
  const remotes = [{ address: 'backend.example.com', port: 8443 }];
  const endpoints = [
    { name: 'https-v6', listen: { address: '::', port }, remotes, network: { ipv6Only: true } },
    { name: 'https-v4', listen: { address: '0.0.0.0', port }, remotes },
  ];
  const { apiVersion, kind } = relayResource;
  return { apiVersion, kind, metadata: { name, namespace }, spec: { replicas: 0, endpoints } };
}
