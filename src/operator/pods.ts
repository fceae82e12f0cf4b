import { configHashAnnotation, manager } from '../desired/object-meta.ts';
import { controllerOf, type KubeObject, type ObjectKey } from '../kube/object.ts';
import type { Resource } from '../kube/resource.ts';

/** Where Pods are served. */
export const podResource: Resource = { apiVersion: 'v1', kind: 'Pod', plural: 'pods' };

/** Selects relay Pods, so that no other Pod is sent to the operator. */
export const podSelector = `app.kubernetes.io/name=realm-relay,app.kubernetes.io/managed-by=${manager}`;

const instanceLabel = 'app.kubernetes.io/instance';
const templateHashLabel = 'pod-template-hash';

/** The part of a relay Pod that is kept; see {@link strippedPod}. */
export type RelayPod = KubeObject & {
  readonly status?: {
    readonly podIP?: string;
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
};

/** The part of `pod` that is kept: most of a Pod is not needed here, and there are many. Pure. */
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

/** A condition that kubelet sets: volumes are mounted and the network is set up. */
const canStart = 'PodReadyToStartContainers';
const conditionTypes = ['Ready', canStart];

function bare({ type, status }: { type: string; status: string }): { type: string; status: string } {
  return { type, status };
}

/**
 * The key of the RealmRelay that `pod` runs for, by its label. The ReplicaSet or DaemonSet that controls it must have that
 * name, so that a foreign Pod with the same labels is ignored.
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

/** Whether `pod` runs or will run: it has neither ended nor is it being deleted. */
export function isLive({ metadata, status }: RelayPod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

/** Whether kubelet reports `pod` ready. */
export function isReady({ status }: RelayPod): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True');
}

/** The hash of the configuration that `pod` was last annotated with; undefined if it never was. */
export function annotatedHash({ metadata }: RelayPod): string | undefined {
  return metadata.annotations?.[configHashAnnotation];
}

/** Whether kubelet cannot start `pod`: a volume that it mounts does not exist, or its network cannot be set up. */
export function isStuck({ status }: RelayPod): boolean {
  if (status?.phase !== 'Pending') return false;
  return (status.conditions ?? []).some(({ type, status }) => type === canStart && status === 'False');
}
