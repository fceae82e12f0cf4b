import type { V1DaemonSet, V1Deployment } from '@kubernetes/client-node';
import { isDaemonSet, type WorkloadObject } from './kinds.ts';
import type { Reason } from './verdict.ts';

/** The progress of a workload. `failed`: it will not progress on its own. */
export type Rollout = { readonly state: 'ready' | 'progressing' | 'failed' } & Reason;

/** How many Pods a workload has. */
export type PodCounts = {
  readonly wanted: number;
  /** How many exist. */
  readonly present: number;
  /** How many have the newest template. */
  readonly updated: number;
  readonly ready: number;
};

/** The progress of `workload`, which is of this kind, by its status. Pure. */
export function rollout(workload: WorkloadObject | undefined, kind: string): Rollout {
  if (workload === undefined) {
    return { state: 'progressing', reason: 'NoWorkload', message: `The ${kind} does not exist yet.` };
  }
  return failure(workload) ?? progress(workload);
}

/** The progress of a workload whose Pods the API server refuses, for the reason `why`. Pure. */
export function podsRefused(why: string): Rollout {
  return { state: 'failed', reason: 'PodsRefused', message: `Pods cannot be created: ${why}` };
}

/** The Pods of `workload`, as its controller last counted them. Pure. */
export function podCounts(workload: WorkloadObject): PodCounts {
  return isDaemonSet(workload) ? ofDaemonSet(workload) : ofDeployment(workload);
}

function ofDeployment({ spec, status }: V1Deployment): PodCounts {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = status ?? {};
  return { wanted: spec?.replicas ?? 1, present: replicas, updated: updatedReplicas, ready: readyReplicas };
}

function ofDaemonSet({ status }: V1DaemonSet): PodCounts {
  const { desiredNumberScheduled = 0, currentNumberScheduled = 0 } = status ?? {};
  const { updatedNumberScheduled = 0, numberReady = 0 } = status ?? {};
  return {
    wanted: desiredNumberScheduled,
    present: currentNumberScheduled,
    updated: updatedNumberScheduled,
    ready: numberReady,
  };
}

function failure(workload: WorkloadObject): Rollout | undefined {
  if (isDaemonSet(workload)) return undefined; // its status has no such condition
  const conditions = workload.status?.conditions ?? [];
  const refused = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  const stuck = conditions.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  if (refused !== undefined) return podsRefused(refused.message ?? '');
  if (stuck === undefined) return undefined;
  const message = 'Pods do not become ready: see "kubectl describe pod" for image, scheduling and probes.';
  return { state: 'failed', reason: 'RolloutFailed', message };
}

function progress(workload: WorkloadObject): Rollout {
  const { wanted, present, updated, ready } = podCounts(workload);
  const isSeen = (workload.status?.observedGeneration ?? 0) >= (workload.metadata?.generation ?? 0);
  if (isSeen && [present, updated, ready].every((count) => count === wanted))
    return settled(workload, wanted);
  if (isPaused(workload)) return pausedRollout(workload);
  const more = ready < wanted ? '.' : '; old Pods are still being removed or replaced.';
  const message = `${String(Math.min(ready, wanted))} of ${String(wanted)} Pods are ready${more}`;
  return { state: 'progressing', reason: 'PodsNotReady', message };
}

function isPaused(workload: WorkloadObject): boolean {
  return !isDaemonSet(workload) && workload.spec?.paused === true;
}

/** The operator does not resume it: it was a person or a tool that paused it. */
function pausedRollout({ metadata: { name = '', namespace = '' } = {} }: WorkloadObject): Rollout {
  const message = `Deployment "${name}" is paused (spec.paused), so its Pods stay as they are: run kubectl rollout resume deployment/${name} -n ${namespace}`;
  return { state: 'failed', reason: 'RolloutPaused', message };
}

function settled(workload: WorkloadObject, wanted: number): Rollout {
  if (wanted > 0) return { state: 'ready', reason: 'PodsReady', message: 'All Pods are ready.' };
  if (!isDaemonSet(workload))
    return { state: 'ready', reason: 'ScaledToZero', message: 'No Pods are wanted.' };
  const message = 'There are no Pods, since podTemplate selects no node.';
  return { state: 'progressing', reason: 'NoMatchingNodes', message };
}
