import type { V1DaemonSet } from '@kubernetes/client-node';
import type { KubeObject, ObjectKey } from '../kube/object.ts';
import { present } from '../lib/record.ts';
import type { ApplyCluster, ApplyResult } from './apply-context.ts';
import { hotReload, type HotReloadInput } from './hot-reload.ts';
import { shortDaemonSet } from './pod-refusals.ts';
import { podResource, type RelayPod } from './pods.ts';
import type { PodPoller } from './relay-poller.ts';
import { type RunningPods, runningPods } from './running-pods.ts';
import { watchText } from './watches.ts';

/** What following Pods uses of the cluster. */
export type PodCluster = Pick<ApplyCluster, 'watchProblemsOf'> & {
  /** Annotates `pod` with `hash`; see `PodAnnotations.annotate`. Resolves with how long that has to wait, in milliseconds. */
  annotatePod: (pod: RelayPod, hash: string) => Promise<number>;
  /** Why the API server refuses Pods of `daemonSet`, if that is known; see `PodRefusals`. */
  podRefusal: (daemonSet: V1DaemonSet) => Promise<string | undefined>;
};

type PodContext = { readonly cluster: PodCluster; readonly poller: PodPoller };

/** The Pods of a relay; `key` is that of its owner. */
export type FollowedPods = Omit<HotReloadInput, 'reports'> & { readonly key: ObjectKey };

/**
 * Annotates Pods with the configuration that was applied and polls those that are not known to run it.
 *
 * @returns when to do it again, in milliseconds, if that has to wait for a Pod.
 */
export async function followPods(
  { key, ...input }: FollowedPods,
  { cluster, poller }: PodContext,
): Promise<Pick<ApplyResult, 'againMs'>> {
  const { annotate, targets } = hotReload({ ...input, reports: poller.reports(key) });
  poller.poll(key, targets);
  const annotated = await Promise.allSettled(
    annotate.map((pod) => cluster.annotatePod(pod, input.hash ?? '')),
  );
  const refused = annotated.find((one) => one.status === 'rejected');
  if (refused !== undefined) throw refused.reason;
  const waits = annotated.flatMap((one) => (one.status === 'fulfilled' && one.value > 0 ? [one.value] : []));
  return waits.length === 0 ? {} : { againMs: Math.min(...waits) };
}

/** What is known of the Pods of a relay, whose owner has the objects `owned`. Never rejects. */
export async function currentPods(
  {
    key,
    pods,
    hash,
    namespace,
  }: Pick<FollowedPods, 'key' | 'pods' | 'hash'> & { readonly namespace: string },
  owned: readonly KubeObject[],
  { cluster, poller }: PodContext,
): Promise<RunningPods> {
  const short = shortDaemonSet(owned);
  const running = {
    ...runningPods(pods, poller.reports(key), hash),
    isShort: short !== undefined,
    ...present('refusal', short && (await cluster.podRefusal(short))),
  };
  const [problem] = cluster.watchProblemsOf([podResource.kind], namespace);
  return problem === undefined
    ? running
    : { ...running, updated: undefined, unknownBecause: watchText(problem) };
}
