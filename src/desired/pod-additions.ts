import type { V1ObjectMeta, V1PodSpec, V1TopologySpreadConstraint } from '@kubernetes/client-node';
import { isOwnPodLabel } from '../api/label-rules.ts';
import type { Relay } from '../api/relay.ts';
import { isRecord, present } from '../lib/record.ts';
import { configHash } from './config-map.ts';
import { configHashAnnotation, podLabels, selectorLabels } from './object-meta.ts';

/** Labels and annotations of the Pods of `relay`: what the user adds, under what the operator needs. */
export function podMeta(relay: Relay): V1ObjectMeta {
  const { labels, annotations } = relay.podTemplate;
  const added = {
    ...Object.fromEntries(
      Object.entries(annotations).filter(([key]) => !key.startsWith('realm-operator.dev/')),
    ),
    ...(relay.updateStrategy === 'Rollout' && { [configHashAnnotation]: configHash(relay) }),
  };
  const others = Object.entries(labels).filter(([key]) => !isOwnPodLabel(key));
  return {
    labels: { ...Object.fromEntries(others), ...podLabels(relay) },
    ...(Object.keys(added).length > 0 && { annotations: added }),
  };
}

/** Where the Pods of `relay` run, and as whom: what the user says, and the topology spread where the user says none. */
export function podPlacement(relay: Relay): Partial<V1PodSpec> {
  const { nodeSelector, tolerations, affinity, imagePullSecrets, priorityClassName, serviceAccountName } =
    relay.podTemplate;
  return withoutEmpty({
    nodeSelector,
    tolerations,
    affinity,
    topologySpreadConstraints: topologySpread(relay),
    imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
    ...present('priorityClassName', priorityClassName),
    ...serviceAccount(serviceAccountName),
  }) as Partial<V1PodSpec>;
}

/**
 * Both spellings: the API server copies the one into the other, and takes the old one for the new where that is taken
 * away, so that what only the server wrote would stay for ever.
 */
function serviceAccount(name: string | undefined): Pick<V1PodSpec, 'serviceAccount' | 'serviceAccountName'> {
  return { ...present('serviceAccountName', name), ...present('serviceAccount', name) };
}

function topologySpread(relay: Relay): V1TopologySpreadConstraint[] {
  const labelSelector = { matchLabels: selectorLabels(relay) };
  const chosen = relay.podTemplate.topologySpreadConstraints;
  if (chosen !== undefined)
    return chosen.map((constraint) => ({ labelSelector, ...constraint })) as V1TopologySpreadConstraint[];
  return ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector,
  }));
}

/** Fields in which the empty says something: an empty selector selects all, the values of these mappings may be empty. */
const meantEmpty = /^(labelSelector|namespaceSelector)$/;
const mappings = /^(matchLabels|nodeSelector)$/;

/** `value` without the empty texts, lists and mappings that the API server would drop: each comparison would find them. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value)
    .map(([key, field]) => [key, mappings.test(key) ? field : withoutEmpty(field)] as const)
    .filter(([key, field]) => meantEmpty.test(key) || !isEmpty(field));
  return Object.fromEntries(kept);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '') return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
