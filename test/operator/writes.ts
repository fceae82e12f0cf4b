import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { steadyFor } from '../support/steady.ts';

const writingVerbs = /verb="(APPLY|POST|PUT|PATCH|DELETE)"/;
/** What the operator writes. Leases and what kube-controller-manager makes of ours (ReplicaSets, …) are not in it. */
const ourResources =
  /resource="(realmrelays|configmaps|deployments|daemonsets|services|poddisruptionbudgets|networkpolicies|horizontalpodautoscalers|events)"/;
/** kube-controller-manager writes the status of Deployments, DaemonSets, budgets and autoscalers, and events by the older API; both are never ours. */
const foreign =
  /resource="(deployments|daemonsets|poddisruptionbudgets|horizontalpodautoscalers)".*subresource="status"|group="",resource="events"/;

/** How many write requests for the operator's resources the API server has counted since it started. */
async function writes(controlPlane: ControlPlane): Promise<number> {
  const lines = (await controlPlane.metrics()).split('\n');
  return lines
    .filter((line) => line.startsWith('apiserver_request_total{'))
    .filter((line) => writingVerbs.test(line) && ourResources.test(line) && !foreign.test(line))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))))
    .reduce((sum, count) => sum + count, 0);
}

/**
 * Resolves with the count once it is the same in `quietLooks` looks in a row: what came before is over. Each look waits for
 * the API server as writes do, so that a slow one makes it look for longer.
 */
export async function settledWrites(controlPlane: ControlPlane, quietLooks = 20): Promise<number> {
  const isSteady = steadyFor(quietLooks);
  return eventually('writes settle', async () => {
    const count = await writes(controlPlane);
    return isSteady(count) && count;
  });
}
