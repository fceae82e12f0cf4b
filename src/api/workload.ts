import { present } from '../lib/record.ts';
import type { Autoscaling, NetworkPolicy, Relay, Workload } from './relay.ts';
import type { RealmRelaySpec } from './schema/realm-relay.ts';

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

function resolvedKind({ kind, hostNetwork }: NonNullable<RealmRelaySpec['workload']> = {}): Workload {
  return { kind: kind ?? 'Deployment', hostNetwork: hostNetwork ?? false };
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
