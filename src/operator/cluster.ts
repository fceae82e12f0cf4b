import type { V1DaemonSet } from '@kubernetes/client-node';
import { parseRealmRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { kind as relayKind } from '../api/schema/realm-relay.ts';
import { type Applied, Applier, fieldManager, type OwnedKind } from '../kube/apply.ts';
import { appliedHash } from '../kube/applied-hash.ts';
import { type Contest, Contests } from '../kube/contests.ts';
import type { KubeEvent, Events } from '../kube/events.ts';
import { writeError } from '../kube/apply-errors.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { withoutManagedFields } from '../kube/managed-fields.ts';
import {
  controllerOf,
  type KubeObject,
  type ObjectKey,
  objectKey,
  type WithMetadata,
} from '../kube/object.ts';
import { configHashAnnotation } from '../desired/object-meta.ts';
import type { PackedObject } from '../kube/packed-object.ts';
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
import { podResource, type RelayPod, relayOf } from './pods.ts';
import { PodRefusals } from './pod-refusals.ts';
import { isOnHostNetwork } from './node-sharing.ts';
import { deploymentResource, ownedKinds, relayResource, serviceOf, type RelayObject } from './kinds.ts';
import { handOverReplicas } from './replicas.ts';
import type { ReconcileCluster } from './reconcile.ts';

/** The group of the RealmRelays that share nodes, in all namespaces; its name cannot be that of an object. */
const onHostNetwork: ObjectKey = '*/hostNetwork';

/** Memoized, since each relay is compared with every other one. */
const parsed = memoize((packed: PackedObject<RelayObject>) => parseRealmRelay(packed.object()).relay);

/**
 * The operator's view of the cluster: stores that informers keep up to date, and every write that it makes.
 */
export class Cluster implements ReconcileCluster {
  readonly relays = new Store<RelayObject>((object) => (isOnHostNetwork(object) ? onHostNetwork : undefined));
  /** One entry for each kind that is written; objects are grouped by the key of their relay. */
  readonly owned: readonly OwnedKind[];
  /** The Pods of relays, grouped by the key of their relay. */
  readonly pods = new Store<RelayPod>(relayOf);
  /** The watches that do not work. */
  watchProblems: () => readonly WatchProblem[] = () => [];
  readonly #client: KubeClient;
  readonly #applier: Applier;
  readonly #stack: ClusterStackProbe;
  readonly #events: Events;
  readonly #log: Logger;
  readonly #statuses: Contests;
  readonly #namespaceReads: OutageLog;
  readonly #refusals: PodRefusals;

  constructor(client: KubeClient, events: Events, { clock, log }: { clock: Clock; log: Logger }) {
    this.owned = ownedKinds(ownerKey);
    this.#client = client;
    this.#statuses = new Contests(clock);
    this.#applier = new Applier({
      client,
      clock,
      kinds: this.owned,
      isOwnerThere: (desired) => this.#isOwnerThere(desired),
    });
    this.#stack = new ClusterStackProbe(client, clock);
    this.#events = events;
    this.#log = log;
    this.#refusals = new PodRefusals(client, log);
    this.#namespaceReads = new OutageLog(log, {
      failing: 'not allowed to read namespaces, skipping the Pod Security check for hostNetwork',
      working: 'namespaces can be read again',
    });
  }

  /** Calls `listener` with the key of every RealmRelay that changed, or whose owned objects or Pods did. */
  subscribe(listener: (key: ObjectKey) => void): void {
    this.relays.subscribe(({ now, before }) => {
      const changed = now ?? before;
      if (changed !== undefined) listener(changed.key);
      const sharesNodes = [now, before].some((relay) => relay?.group === onHostNetwork);
      if (sharesNodes && !isSameSpec(now, before))
        for (const { key } of this.relays.packedGroup(onHostNetwork)) listener(key);
    });
    this.pods.subscribe(({ now, before }) => {
      if (!isSamePod(now, before)) notifyGroups([now, before], listener);
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

  /** Asks by a write that changes nothing, since the operator may not read single RealmRelays. */
  async #isOwnerThere(object: KubeObject): Promise<boolean> {
    const { name = '', uid } = controllerOf(object) ?? {};
    const { namespace = '' } = object.metadata;
    const path = objectPath(relayResource, { ...relayResource, metadata: { name, namespace } });
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

  ownedBy(owner: WithMetadata): KubeObject[] {
    const key = objectKey(owner);
    const ofItsName = this.owned.flatMap(({ store }) => store.group(key));
    return ofItsName.filter((object) => controllerOf(object)?.uid === owner.metadata.uid);
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

  /** The Pods of the relay at `key`, in no particular order. */
  podsOf(key: ObjectKey): RelayPod[] {
    return this.pods.group(key);
  }

  podRefusal(daemonSet: V1DaemonSet): Promise<string | undefined> {
    return this.#refusals.latest(daemonSet);
  }

  /** Annotates `pod` with `hash`, if it still exists, so that kubelet refreshes the ConfigMap that it mounts. */
  async annotatePod(pod: RelayPod, hash: string): Promise<void> {
    const { uid } = pod.metadata;
    try {
      await this.#client.request({
        method: 'PATCH',
        path: objectPath(podResource, pod),
        query: { fieldManager },
        contentType: 'application/merge-patch+json',
        body: { metadata: { uid, annotations: { [configHashAnnotation]: hash } } },
      });
    } catch (error) {
      const isGone = isKubeError(error, 404) || isKubeError(error, 409); // 409: another Pod has its name by now
      if (!isGone) throw writeError(error, 'annotate', pod);
    }
  }

  undoneStatus(object: RelayObject, status: RealmRelayStatus): Contest | undefined {
    return this.#statuses.undone(objectKey(object), statusHash(status));
  }

  recordEvent(event: KubeEvent): void {
    this.#events.record(event);
  }

  /**
   * Writes the status of `object`, if it still exists.
   *
   * @throws KubeError with status 409 if it has changed since: the answer would otherwise put a change of others into the
   *   store without a notification.
   */
  async writeStatus(object: RelayObject, status: RealmRelayStatus): Promise<void> {
    const { apiVersion, kind } = relayResource;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const request = {
      method: 'PATCH',
      path: `${objectPath(relayResource, object)}/status`,
      query: { fieldManager, force: 'true', fieldValidation: 'Strict' },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status },
    } as const;
    try {
      await this.relays.writeThrough(objectKey(object), async () =>
        withoutManagedFields((await this.#client.request(request)) as RelayObject),
      );
      this.#statuses.written(objectKey(object), statusHash(status));
    } catch (error) {
      if (!isKubeError(error, 404)) throw error;
    }
  }
}

/** The hash of `status` without the times of its conditions, which are new each time that others undo it. */
function statusHash({ conditions = [], ...status }: RealmRelayStatus): string {
  return appliedHash({
    ...status,
    conditions: conditions.map(({ lastTransitionTime: _time, ...rest }) => rest),
  });
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

/** The key of the RealmRelay that owns `object`; by name, so that it also finds a relay that was recreated. */
function ownerKey(object: KubeObject): ObjectKey | undefined {
  const owner = controllerOf(object);
  const isRelay = owner?.kind === relayKind && owner.apiVersion.startsWith('realm-operator.dev/');
  return isRelay ? `${object.metadata.namespace ?? ''}/${owner.name}` : undefined;
}
