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
import { podDisruptionBudget } from './pod-disruption-budget.ts';
import { service } from './service.ts';

/** All that rendering needs besides the relay; nothing else comes in from outside. */
export type Platform = {
  /** Image of the relay program, where a relay does not name one. */
  readonly relayImage: string;
};

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
 * Every object that `relay` needs: what a Pod mounts, or is guarded by, before the Pod, and the Service, which may be such that it
 * cannot be changed, last. It is the one of a relay that has none yet: what a live one may become tells `service`.
 *
 * Pure: equal input gives deeply equal output. No empty list, map or null is in it.
 */
export function desiredObjects(relay: Relay, { relayImage }: Platform): DesiredObject[] {
  return [
    configMap(relay),
    ...networkPolicy(relay),
    relay.workload.kind === 'DaemonSet' ? daemonSet(relay, relayImage) : deployment(relay, relayImage),
    ...horizontalPodAutoscaler(relay),
    ...podDisruptionBudget(relay),
    ...(relay.service.enabled ? [service(relay, undefined)] : []),
  ];
}
