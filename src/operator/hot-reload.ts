import type { UpdateStrategy } from '../api/relay.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { annotatedHash, isReady, type RelayPod } from './pods.ts';
import { isUnreachable, type PodReport, type PodReports, type PollTarget } from './relay-poller.ts';
import type { PollTargets } from './relay-poller.ts';

/** What `hotReload` decides from. */
export type HotReloadInput = {
  /** The live Pods of the relay. */
  readonly pods: readonly RelayPod[];
  readonly reports: PodReports;
  /** Hash of the configuration in the ConfigMap; undefined if there is none yet. */
  readonly hash: string | undefined;
  /** The names of the endpoints in that configuration. */
  readonly endpoints: readonly string[];
  /** Undefined if nothing may be written, as while paused. */
  readonly strategy: UpdateStrategy | undefined;
  readonly previous: RealmRelayStatus;
  /** Whether its Pods are polled all the time, since they alone notice what becomes of its certificates. */
  readonly isWatched?: boolean;
};

/** Which Pods get the hash of the configuration as an annotation, and which are polled for what they run. */
export type HotReload = { readonly annotate: readonly RelayPod[]; readonly targets: PollTargets };

/**
 * Decides how a changed configuration reaches running Pods: which are annotated, so that kubelet refreshes their mounted
 * ConfigMap at once, and which are polled because they are not ready or not known to run it. If the Pods are as the status
 * states, neither list has an entry. Pure.
 */
export function hotReload(input: HotReloadInput): HotReload {
  const { pods, reports, hash, endpoints, strategy, previous, isWatched = false } = input;
  const isSettled = settled(pods, hash, previous);
  const known = new Map(
    pods.flatMap((pod) => {
      const report = reports.get(uid(pod)) ?? (isSettled ? runs(hash) : undefined);
      return report === undefined ? [] : [[uid(pod), report] as const];
    }),
  );
  const needsPoll = (pod: RelayPod): boolean =>
    isWatched ||
    !isReady(pod) ||
    known.get(uid(pod))?.report?.configHash !== hash ||
    hasFault(known.get(uid(pod)));
  const targets = pods
    .filter(needsPoll)
    .flatMap(pollTargets)
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  const annotate =
    strategy === 'HotReload' ? pods.filter((pod) => isBehind(pod, hash, known.get(uid(pod)))) : [];
  return { annotate, targets: { reports: known, pods: targets, endpoints, subject: hash ?? '' } };
}

/** None before the Pod runs: it has no address until then. */
function pollTargets(pod: RelayPod): PollTarget[] {
  const address = pod.status?.podIP;
  return address === undefined ? [] : [{ uid: uid(pod), address, ready: isReady(pod) }];
}

function uid({ metadata }: RelayPod): string {
  return metadata.uid ?? '';
}

function runs(hash = ''): PodReport {
  return { report: { configHash: hash, configProblem: '', unready: [] }, failures: 0 };
}

/** Whether the status, which outlives the operator, records that every Pod ran this configuration. */
function settled(pods: readonly RelayPod[], hash: string | undefined, previous: RealmRelayStatus): boolean {
  const { configHash, updatedReplicas, endpoints = [] } = previous;
  const isQuiet = pods.every(isReady) && endpoints.every(({ ready }) => ready === true);
  return isQuiet && configHash === hash && updatedReplicas === pods.length;
}

/**
 * Whether `pod` needs the annotation. A Pod starts with the newest configuration, so one that has not reported yet does
 * not, unless it is ready and cannot be reached.
 */
function isBehind(pod: RelayPod, hash: string | undefined, known: PodReport | undefined): boolean {
  if (hash === undefined || annotatedHash(pod) === hash) return false;
  if (isReady(pod) && isUnreachable(known)) return true;
  return known?.report !== undefined && known.report.configHash !== hash;
}

function hasFault(known: PodReport | undefined): boolean {
  return (known?.report?.unready.length ?? 0) > 0;
}
