import type {
  V1ConfigMap,
  V1DaemonSet,
  V1Deployment,
  V1NetworkPolicy,
  V1PodDisruptionBudget,
  V1Service,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { configMap } from './config-map.ts';
import { daemonSet } from './daemon-set.ts';
import { deployment } from './deployment.ts';
import type { Desired } from './object-meta.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import { networkPolicy } from './network-policy.ts';
import { onPlatform, type Platform } from './platform.ts';
import { podDisruptionBudget } from './pod-disruption-budget.ts';
import { service } from './service.ts';

/** An object that a relay needs in the cluster. */
export type DesiredObject =
  | Desired<V1ConfigMap>
  | Desired<V1DaemonSet>
  | Desired<V1Deployment>
  | Desired<V1NetworkPolicy>
  | Desired<V1PodDisruptionBudget>
  | Desired<V1Service>
  | Desired<V2HorizontalPodAutoscaler>;

/**
 * Every object that `realmRelay` needs, in the order in which they are applied: first those that Pods mount and that restrict
 * them, then the Pods, and last the Service, which may be impossible to change. The Service is the one for a relay that has
 * none yet; `service` returns the one that a live Service can become.
 *
 * Pure: equal input gives deeply equal output. The objects contain no empty list, no empty map and no null.
 */
export function desiredObjects(realmRelay: Relay, platform: Platform): DesiredObject[] {
  const relay = onPlatform(realmRelay, platform);
  const { operatorNamespace } = platform;
  return [
    configMap(relay),
    ...networkPolicy(relay, operatorNamespace),
    relay.workload.kind === 'DaemonSet' ? daemonSet(relay, platform) : deployment(relay, platform),
    ...horizontalPodAutoscaler(relay),
    ...podDisruptionBudget(relay),
    ...(relay.service.enabled ? [service(relay, undefined)] : []),
  ];
}
