import { present } from '../lib/record.ts';
import type { Autoscaling, NetworkPolicy, Relay, Workload } from './relay.ts';
import type { RealmRelaySpec } from './schema/realm-relay.ts';
import { isNone } from './schema/workload.ts';

type WorkloadSpec = NonNullable<RealmRelaySpec['workload']>;

/** The workload and its companions as the user wrote them, with defaults applied. */
export function resolvedWorkload(
  spec: RealmRelaySpec,
): Pick<Relay, 'workload' | 'autoscaling' | 'podDisruptionBudget' | 'networkPolicy'> {
  const { podDisruptionBudget: budget } = spec;
  return {
    workload: resolvedKind(spec.workload),
    ...present('autoscaling', spec.autoscaling && resolvedAutoscaling(spec.autoscaling)),
    ...present('podDisruptionBudget', budget && { maxUnavailable: budget.maxUnavailable ?? 1 }),
    networkPolicy: resolvedPolicy(spec.networkPolicy),
  };
}

function resolvedKind({
  kind = 'Deployment',
  hostNetwork = false,
  rollingUpdate = {},
}: WorkloadSpec = {}): Workload {
  return { kind, hostNetwork, rollingUpdate: resolvedUpdate(rollingUpdate, { kind, hostNetwork }) };
}

/**
 * New Pods start before old ones stop. Not on hostNetwork, where both need the same ports: a cluster with a Pod on every node
 * would wait for ever.
 */
function resolvedUpdate(
  { maxSurge, maxUnavailable }: NonNullable<WorkloadSpec['rollingUpdate']>,
  { kind, hostNetwork }: Pick<Workload, 'kind' | 'hostNetwork'>,
): Workload['rollingUpdate'] {
  const surge = hostNetwork ? 0 : '25%';
  if (maxUnavailable === undefined) {
    const chosen = maxSurge ?? surge;
    return { maxSurge: chosen, maxUnavailable: isNone(chosen) ? 1 : 0 };
  }
  // A DaemonSet takes one of the two.
  const isOnlyOne = kind === 'DaemonSet' && !isNone(maxUnavailable);
  return { maxSurge: maxSurge ?? (isOnlyOne ? 0 : surge), maxUnavailable };
}

function resolvedAutoscaling(autoscaling: NonNullable<RealmRelaySpec['autoscaling']>): Autoscaling {
  return {
    minReplicas: autoscaling.minReplicas ?? 1,
    maxReplicas: autoscaling.maxReplicas,
    targetCPUUtilizationPercentage: autoscaling.targetCPUUtilizationPercentage ?? 80,
  };
}

function resolvedPolicy(policy: NonNullable<RealmRelaySpec['networkPolicy']> = {}): NetworkPolicy {
  return { enabled: policy.enabled ?? false, allowFrom: policy.allowFrom ?? [] };
}
