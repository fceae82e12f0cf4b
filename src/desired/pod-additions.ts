import type { V1ObjectMeta, V1PodSpec, V1TopologySpreadConstraint } from '@kubernetes/client-node';
import { isOwnPodLabel, ownAnnotationPrefix } from '../api/label-rules.ts';
import type { Relay } from '../api/relay.ts';
import { present } from '../lib/record.ts';
import { configHash } from './config-map.ts';
import { commonMetadata, configHashAnnotation, podLabels, selectorLabels } from './object-meta.ts';
import { withoutEmpty } from './without-empty.ts';

/** Labels and annotations of the Pods of `relay`: those of the user, overridden by those that the operator needs. */
export function podMeta(relay: Relay): V1ObjectMeta {
  const { labels, annotations } = relay.podTemplate;
  const common = commonMetadata(relay);
  const added = {
    ...common.annotations,
    ...Object.fromEntries(
      Object.entries(annotations).filter(([key]) => !key.startsWith(ownAnnotationPrefix)),
    ),
    ...(relay.updateStrategy === 'Rollout' && { [configHashAnnotation]: configHash(relay) }),
  };
  const others = Object.entries(labels).filter(([key]) => !isOwnPodLabel(key));
  return {
    labels: { ...common.labels, ...Object.fromEntries(others), ...podLabels(relay) },
    ...(Object.keys(added).length > 0 && { annotations: added }),
  };
}

/** Scheduling and service account of the Pods of `relay`: as the user wrote them, with a default topology spread. */
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
 * Both spellings of the field. The API server copies one to the other, and if the new one is removed, restores it from the
 * old one; so a field that only the server wrote would stay for ever.
 */
function serviceAccount(name: string | undefined): Pick<V1PodSpec, 'serviceAccount' | 'serviceAccountName'> {
  return { ...present('serviceAccountName', name), ...present('serviceAccount', name) };
}

function topologySpread(relay: Relay): V1TopologySpreadConstraint[] {
  const labelSelector = { matchLabels: selectorLabels(relay) };
  const chosen = relay.podTemplate.topologySpreadConstraints;
  if (chosen !== undefined)
    return chosen.map((constraint) => ({ labelSelector, ...constraint })) as V1TopologySpreadConstraint[];
  if (relay.workload.kind === 'DaemonSet') return []; // it runs one Pod on every node anyway
  return ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector,
  }));
}
