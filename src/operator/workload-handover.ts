import type { Relay } from '../api/relay.ts';
import type { KubeObject } from '../kube/object.ts';
import { workloadOf } from './kinds.ts';
import { rollout } from './rollout.ts';

/**
 * The workload of the previous kind that still has to serve: it stays until the workload of the wanted kind is ready, so that
 * clients are served all the time. If both are on hostNetwork, it goes at once, since it occupies the ports that the new one
 * needs. Pure.
 *
 * @param owned  the objects that the relay owns now.
 * @returns undefined if there is none, or it may be deleted.
 */
export function predecessor(relay: Relay, owned: readonly KubeObject[]): KubeObject | undefined {
  const { kind, hostNetwork } = relay.workload;
  const before = kind === 'Deployment' ? 'DaemonSet' : 'Deployment';
  if (hostNetwork && workloadOf(owned, before)?.spec?.template.spec?.hostNetwork === true) return undefined;
  if (rollout(workloadOf(owned, kind), kind).state === 'ready') return undefined;
  return owned.find((object) => object.kind === before);
}
