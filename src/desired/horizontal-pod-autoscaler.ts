import type { V2HorizontalPodAutoscaler } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { objectMeta, type Desired } from './object-meta.ts';

/**
 * The HorizontalPodAutoscaler of `relay`, if the user wants one. It scales the Deployment, never the RealmRelay, whose
 * replicas are the user's to write.
 */
export function horizontalPodAutoscaler(relay: Relay): Desired<V2HorizontalPodAutoscaler>[] {
  const { autoscaling } = relay;
  if (autoscaling === undefined) return [];
  const { minReplicas, maxReplicas, targetCPUUtilizationPercentage: averageUtilization } = autoscaling;
  return [
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: objectMeta(relay, relay.metadata.name),
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: relay.metadata.name },
        minReplicas,
        maxReplicas,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
          },
        ],
      },
    },
  ];
}
