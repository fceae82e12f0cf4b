import { configHashAnnotation, manager } from '../desired/object-meta.ts';
import { controllerOf, type KubeObject, type ObjectKey } from '../kube/object.ts';
import type { Resource } from '../kube/resource.ts';

/** Where Pods are watched and annotated. */
export const podResource: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };

/** Selects the relay Pods among all: no other Pod ever reaches the operator. */
export const podSelector = `app.kubernetes.io/name=realm-relay,app.kubernetes.io/managed-by=${manager}`;

const instanceLabel = 'app.kubernetes.io/instance';
const templateHashLabel = 'pod-template-hash';

/** A relay Pod, as far as it is kept: see {@link strippedPod}. */
export type RelayPod = KubeObject & {
  readonly status?: {
    readonly podIP?: string;
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
};

/** What is kept of `pod`: most of a Pod is of no use here, and there are many. Pure. */
export function strippedPod(pod: RelayPod): RelayPod {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences } = pod.metadata;
  const labels = picked(pod.metadata.labels, [instanceLabel, templateHashLabel]);
  const annotations = picked(pod.metadata.annotations, [configHashAnnotation]);
  const { podIP, phase, conditions = [] } = pod.status ?? {};
  const kept = {
    podIP,
    phase,
    conditions: conditions.filter(({ type }) => conditionTypes.includes(type)).map(bare),
  };
  const metadata = { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences };
  return {
    apiVersion: podResource.apiVersion,
    kind: podResource.kind,
    metadata: { ...(metadata as KubeObject['metadata']), labels, annotations },
    status: kept as NonNullable<RelayPod['status']>,
  };
}

function picked(
  from: Readonly<Record<string, string>> = {},
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)));
}

/** Kubelet's: what it mounts is there, and so is its network. */
const canStart = 'PodReadyToStartContainers';
const conditionTypes = ['Ready', canStart];

function bare({ type, status }: { type: string; status: string }): { type: string; status: string } {
  return { type, status };
}

/**
 * The key of the RealmRelay that `pod` runs for: by its label, where the ReplicaSet or DaemonSet that controls it is of that
 * name, so that a Pod which only bears our labels is nobody's.
 */
export function relayOf(pod: RelayPod): ObjectKey | undefined {
  const { namespace = '', labels = {} } = pod.metadata;
  const relay = labels[instanceLabel];
  const owner = controllerOf(pod);
  if (relay === undefined || owner === undefined) return undefined;
  const isOurs = owner.name === ownerName(owner.kind, relay, labels[templateHashLabel]);
  return isOurs ? `${namespace}/${relay}` : undefined;
}

function ownerName(kind: string, relay: string, templateHash = ''): string | undefined {
  if (kind === 'DaemonSet') return relay;
  return kind === 'ReplicaSet' ? `${relay}-${templateHash}` : undefined;
}

/** Whether `pod` runs, or will: neither ended nor about to. */
export function isLive({ metadata, status }: RelayPod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

/** Whether kubelet calls `pod` ready. */
export function isReady({ status }: RelayPod): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** The configuration that `pod` was last told of; undefined where it was told of none. */
export function annotatedHash({ metadata }: RelayPod): string | undefined {
  return metadata.annotations?.[configHashAnnotation];
}

/** Whether kubelet has `pod` and cannot start it: what it mounts is not there, or its network is not. */
export function isStuck({ status }: RelayPod): boolean {
  if (status?.phase !== 'Pending') return false;
  return (status.conditions ?? []).some(({ type, status }) => type === canStart && status === 'False');
}
