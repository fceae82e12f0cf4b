import type { Relay } from '../api/relay.ts';
import type { KubeObject } from '../kube/object.ts';
import { workloadOf } from './kinds.ts';
import { rollout } from './rollout.ts';

/**
 * The workload of the kind before, as long as it shall live on: until that of the kind which is wanted is ready, so that
 * somebody serves all the time. Where both are on hostNetwork the old one goes at once, since it holds the ports that
 * the new one needs. Pure.
 *
 * @param owned  what the relay owns, as it is now.
 * @returns undefined where there is none, or it may go.
 */
export function predecessor(relay: Relay, owned: readonly KubeObject[]): KubeObject | undefined {
  const { kind, hostNetwork } = relay.workload;
  const before = kind === 'Deployment' ? 'DaemonSet' : 'Deployment';
  if (hostNetwork && workloadOf(owned, before)?.spec?.template.spec?.hostNetwork === true) return undefined;
  if (rollout(workloadOf(owned, kind), kind).state === 'ready') return undefined;
  return owned.find((object) => object.kind === before);
}
