import type { V1DaemonSet } from '@kubernetes/client-node';
import { parseRealmRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { type Applied, Applier, fieldManager, type OwnedKind, ownManagers } from '../kube/apply.ts';
import type { Contest } from '../kube/contests.ts';
import type { KubeEvent, Events } from '../kube/events.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { controllerOf, type KubeObject, type ObjectKey } from '../kube/object.ts';
import type { PackedObject } from '../kube/packed-object.ts';
import { Recreations } from '../kube/recreations.ts';
import { objectPath } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import { memoize } from '../lib/memoize.ts';
import { sameJson } from '../lib/same-json.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import { OutageLog } from '../telemetry/outage-log.ts';
import type { WatchProblem } from './watches.ts';
import { ClusterStackProbe, type StackAnswer } from './cluster-stack.ts';
import { PodAnnotations } from './pod-annotations.ts';
import { type RelayPod, relayOf } from './pods.ts';
import { PodRefusals } from './pod-refusals.ts';
import { isOnHostNetwork } from './node-sharing.ts';
import {
  deploymentResource,
  gatewayResource,
  ownedKinds,
  relayResource,
  serviceOf,
  type RelayObject,
  workloadKinds,
} from './kinds.ts';
import { keyOfOwner, type OwnerId, ownerKey } from './owners.ts';
import { handOverReplicas } from './replicas.ts';
import type { ReconcileCluster } from './reconcile.ts';
import { StatusWriter } from './status-writer.ts';

/** The group of the RealmRelays that share nodes, in all namespaces; its name cannot be that of an object. */
const onHostNetwork: ObjectKey = '*/hostNetwork';

/** Memoized, since each relay is compared with every other one. */
const parsed = memoize((packed: PackedObject<RelayObject>) => parseRealmRelay(packed.object()).relay);

/**
 * The operator's view of the cluster: stores that informers keep up to date, and every write that it makes.
 */
export class Cluster implements ReconcileCluster {
  readonly relays = new Store<RelayObject>((object) => (isOnHostNetwork(object) ? onHostNetwork : undefined));
  /** One entry for each kind that is written; objects are grouped by the key of their owner. */
  readonly owned: readonly OwnedKind[];
  /** The Pods of relays, grouped by namespace and name of their relay. */
  readonly pods = new Store<RelayPod>(relayOf);
  /** Writes the statuses of all kinds. */
  readonly statuses: StatusWriter;
  /** What is created again after it was deleted. */
  readonly recreations: Recreations;
  /** The watches that do not work. */
  watchProblems: () => readonly WatchProblem[] = () => [];
  readonly #client: KubeClient;
  readonly #applier: Applier;
  readonly #stack: ClusterStackProbe;
  readonly #events: Events;
  readonly #log: Logger;
  readonly #namespaceReads: OutageLog;
  readonly #refusals: PodRefusals;
  readonly #annotations: PodAnnotations;

  constructor(client: KubeClient, events: Events, { clock, log }: { clock: Clock; log: Logger }) {
    this.owned = ownedKinds(keyOfOwner);
    this.#client = client;
    this.statuses = new StatusWriter(client, clock);
    this.#applier = new Applier({
      client,
      clock,
      kinds: this.owned,
      isOwnerThere: (desired) => this.#isOwnerThere(desired),
    });
    const read = this.#applier.readManaged.bind(this.#applier);
    this.recreations = new Recreations({ clock, read, own: ownManagers });
    this.#stack = new ClusterStackProbe(client, clock);
    this.#events = events;
    this.#log = log;
    this.#refusals = new PodRefusals(client, log);
    this.#annotations = new PodAnnotations(client, clock);
    this.#namespaceReads = new OutageLog(log, {
      failing: 'not allowed to read namespaces, skipping the Pod Security check for hostNetwork',
      working: 'namespaces can be read again',
    });
  }

  /** Calls `listener` with the key of every RealmRelay that changed, and of every owner whose objects or Pods did. */
  subscribe(listener: (key: ObjectKey) => void): void {
    this.relays.subscribe(({ now, before }) => {
      const changed = now ?? before;
      if (changed !== undefined) listener(changed.key);
      const sharesNodes = [now, before].some((relay) => relay?.group === onHostNetwork);
      if (sharesNodes && !isSameSpec(now, before))
        for (const { key } of this.relays.packedGroup(onHostNetwork)) listener(key);
    });
    this.pods.subscribe(({ now, before }) => {
      if (isSamePod(now, before)) return;
      notifyGroups([now, before], (key) => {
        listener(this.#ownerOfPods(key));
      });
    });
    for (const { store } of this.owned) {
      store.subscribe(({ now, before }) => {
        notifyGroups([now, before], listener);
      });
    }
  }

  relay(key: ObjectKey): RelayObject | undefined {
    return this.relays.get(key);
  }

  relaysOnHostNetwork(): Relay[] {
    return this.relays.packedGroup(onHostNetwork).flatMap((packed) => parsed(packed) ?? []);
  }

  async podSecurity(namespace: string): Promise<string | undefined> {
    try {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
      const answer = (await this.#client.find(path)) as KubeObject | undefined;
      this.#namespaceReads.worked(namespace);
      return answer?.metadata.labels?.['pod-security.kubernetes.io/enforce'];
    } catch (error) {
      if (!isKubeError(error, 403)) throw error;
      this.#namespaceReads.failed(error, { namespace }, namespace);
      return undefined;
    }
  }

  /** Asks by a write that changes nothing, since the operator may not read single RealmRelays and Gateways. */
  async #isOwnerThere(object: KubeObject): Promise<boolean> {
    const { name = '', uid, kind } = controllerOf(object) ?? {};
    const { namespace = '' } = object.metadata;
    const resource = kind === gatewayResource.kind ? gatewayResource : relayResource;
    const path = objectPath(resource, { ...resource, metadata: { name, namespace } });
    const request = {
      method: 'PATCH',
      path: `${path}/status`,
      query: { dryRun: 'All', fieldManager },
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid } },
    } as const;
    try {
      const { metadata } = (await this.#client.request(request)) as KubeObject;
      return metadata.uid === uid && metadata.deletionTimestamp === undefined;
    } catch (error) {
      if (isKubeError(error, 404) || isKubeError(error, 409) || isKubeError(error, 422)) return false;
      throw error;
    }
  }

  ownedBy(owner: OwnerId): KubeObject[] {
    const key = ownerKey(owner);
    const ofItsName = this.owned.flatMap(({ store }) => store.group(key));
    return ofItsName.filter((object) => controllerOf(object)?.uid === owner.uid);
  }

  observe(desired: KubeObject): Promise<KubeObject | undefined> {
    return this.#applier.observe(desired);
  }

  apply(desired: KubeObject, seen: Promise<KubeObject | undefined>): Promise<Applied> {
    return this.#applier.apply(desired, seen);
  }

  async keepReplicas(desired: KubeObject, seen: Promise<KubeObject | undefined>): Promise<void> {
    const observed = await this.#applier.observe(desired, seen);
    if (observed === undefined || this.#applier.wasApplied(desired, observed)) return;
    await handOverReplicas(this.#client, deploymentResource, observed);
  }

  delete(object: KubeObject): Promise<void> {
    return this.#applier.delete(object);
  }

  stackOf(service: KubeObject): Promise<StackAnswer> {
    return this.#stack.of(service);
  }

  /** The keys of the relays whose Service prefers two families and has one, if the cluster has two now. Never rejects. */
  async servicesToUpgrade(): Promise<readonly ObjectKey[]> {
    const services = this.owned.find(({ resource }) => resource.kind === 'Service')?.store.all() ?? [];
    const single = [...services].filter((packed) => lacksFamily(packed.object()));
    this.#stack.forget();
    const [first] = single;
    if (first === undefined) return [];
    const stack = await this.#stack.of(first.object()).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'the families of the cluster cannot be tried');
      return { stack: 'single' };
    });
    return stack.stack === 'dual' ? single.flatMap(({ group }) => group ?? []) : [];
  }

  /** The keys of the relays in `namespace`, or in all namespaces. */
  relaysIn(namespace: string | undefined): ObjectKey[] {
    const keys = [...this.relays.all()].map(({ key }) => key);
    return namespace === undefined ? keys : keys.filter((key) => key.startsWith(`${namespace}/`));
  }

  watchProblemsOf(kinds: readonly string[], namespace: string): readonly WatchProblem[] {
    return this.watchProblems().filter(
      (each) => kinds.includes(each.kind) && (each.namespace ?? namespace) === namespace,
    );
  }

  /** The key of the owner of the relay called `key`, by the workload of its Pods; `key` if there is none. */
  #ownerOfPods(key: ObjectKey): ObjectKey {
    const workloads = this.owned.filter(({ resource }) => workloadKinds.includes(resource.kind));
    return workloads.flatMap(({ store }) => store.groupOf(key) ?? [])[0] ?? key;
  }

  /** The Pods of the relay called `key`, in no particular order. */
  podsOf(key: ObjectKey): RelayPod[] {
    return this.pods.group(key);
  }

  podRefusal(daemonSet: V1DaemonSet): Promise<string | undefined> {
    return this.#refusals.latest(daemonSet);
  }

  annotatePod(pod: RelayPod, hash: string): Promise<number> {
    return this.#annotations.annotate(pod, hash);
  }

  undoneStatus(object: RelayObject, status: RealmRelayStatus): Contest | undefined {
    return this.statuses.undone(object, status);
  }

  recordEvent(event: KubeEvent): void {
    this.#events.record(event);
  }

  /** Writes the status of `object`, if it still exists; see `StatusWriter.apply`. */
  writeStatus(object: RelayObject, status: RealmRelayStatus): Promise<void> {
    return this.statuses.apply({ resource: relayResource, store: this.relays }, object, status);
  }
}

function lacksFamily(service: KubeObject): boolean {
  const { ipFamilies = [], ipFamilyPolicy } = serviceOf([service])?.spec ?? {};
  return ipFamilyPolicy === 'PreferDualStack' && ipFamilies.length === 1;
}

function isSameSpec(
  now: PackedObject<RelayObject> | undefined,
  before: PackedObject<RelayObject> | undefined,
): boolean {
  return now?.uid === before?.uid && generation(now) === generation(before);
}

function generation(relay: PackedObject<RelayObject> | undefined): number | undefined {
  return relay?.object().metadata.generation;
}

/** Whether the part of a Pod that is kept has not changed; kubelet writes much more than that. */
function isSamePod(
  now: PackedObject<RelayPod> | undefined,
  before: PackedObject<RelayPod> | undefined,
): boolean {
  if (now === undefined || before === undefined) return false;
  return sameJson(versionless(now), versionless(before));
}

function versionless(packed: PackedObject<RelayPod>): RelayPod {
  const { metadata, ...pod } = packed.object();
  return { ...pod, metadata: { ...metadata, resourceVersion: '' } };
}

/** Calls `listener` once with each group of `objects`: the keys of their relays. */
function notifyGroups(
  objects: readonly (PackedObject<KubeObject> | undefined)[],
  listener: (key: ObjectKey) => void,
): void {
  for (const key of new Set(objects.flatMap((object) => object?.group ?? []))) listener(key);
}
