import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { hasSpares } from '../api/workload-rules.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';

/**
 * The PodDisruptionBudget of `relay`: none where the user asks for none, nor where there is one Pod, whose node could never
 * be drained.
 *
 * A Pod that is not ready serves nobody, and so may always be moved: else one that never becomes ready holds up its node.
 */
export function podDisruptionBudget(relay: Relay): Desired<V1PodDisruptionBudget>[] {
  if (relay.podDisruptionBudget === undefined || !hasSpares(relay)) return [];
  return [
    {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: objectMeta(relay, relay.metadata.name),
      spec: {
        maxUnavailable: relay.podDisruptionBudget.maxUnavailable,
        selector: { matchLabels: selectorLabels(relay) },
        unhealthyPodEvictionPolicy: 'AlwaysAllow',
      },
    },
  ];
}
