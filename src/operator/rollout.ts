import type { V1Deployment } from '@kubernetes/client-node';
import type { Reason } from './verdict.ts';

/** How far a Deployment has come. `failed`: it will not come further by itself. */
export type Rollout = { readonly state: 'ready' | 'progressing' | 'failed' } & Reason;

/** Reads the status of `deployment`; pure. */
export function rollout(deployment: V1Deployment | undefined): Rollout {
  if (deployment === undefined) {
    return { state: 'progressing', reason: 'NoDeployment', message: 'There is no Deployment yet.' };
  }
  return failure(deployment) ?? progress(deployment);
}

function failure({ status }: V1Deployment): Rollout | undefined {
  const conditions = status?.conditions ?? [];
  const refused = conditions.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True');
  const stuck = conditions.find(
    ({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded',
  );
  if (refused !== undefined) {
    return {
      state: 'failed',
      reason: 'PodsRefused',
      message: `Pods cannot be made: ${refused.message ?? ''}`,
    };
  }
  if (stuck === undefined) return undefined;
  const message = 'Pods do not become ready: see "kubectl describe pod" for image, scheduling and probes.';
  return { state: 'failed', reason: 'RolloutFailed', message };
}

function progress(deployment: V1Deployment): Rollout {
  const wanted = deployment.spec?.replicas ?? 1;
  const { isSeen, ready: readyReplicas, pods } = counts(deployment);
  if (isSeen && pods.every((count) => count === wanted)) return ready(wanted);
  const message = `${String(Math.min(readyReplicas, wanted))} of ${String(wanted)} Pods are ready.`;
  return { state: 'progressing', reason: 'PodsNotReady', message };
}

/** `pods`: how many there are at all, of the newest template, and ready. */
function counts({ metadata, status }: V1Deployment): { isSeen: boolean; ready: number; pods: number[] } {
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, readyReplicas = 0 } = status ?? {};
  const isSeen = observedGeneration >= (metadata?.generation ?? 0);
  return { isSeen, ready: readyReplicas, pods: [replicas, updatedReplicas, readyReplicas] };
}

function ready(wanted: number): Rollout {
  if (wanted === 0) return { state: 'ready', reason: 'ScaledToZero', message: 'No Pods are wanted.' };
  return { state: 'ready', reason: 'PodsReady', message: 'All Pods are ready.' };
}
