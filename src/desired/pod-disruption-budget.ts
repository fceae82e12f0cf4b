import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { hasSpares } from '../api/workload-rules.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';

/**
 * The PodDisruptionBudget of `relay`, if the user wants one and there is more than one Pod: the node of a single Pod could
 * never be drained.
 *
 * A Pod that is not ready serves no clients, so it may always be evicted; otherwise one that never becomes ready would block
 * the drain of its node.
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
