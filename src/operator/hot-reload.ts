import type { UpdateStrategy } from '../api/relay.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { isReady, type RelayPod, toldHash } from './pods.ts';
import { type Answer, type Answers, type Asked, isUnreachable, type Questions } from './relay-poller.ts';

/** What is known when it is decided whom to tell and to ask. */
export type HotReloadInput = {
  /** The live Pods of the relay. */
  readonly pods: readonly RelayPod[];
  readonly answers: Answers;
  /** Of the configuration in the ConfigMap; undefined where there is none yet. */
  readonly hash: string | undefined;
  /** Undefined where nothing may be written, as while paused. */
  readonly strategy: UpdateStrategy | undefined;
  readonly previous: RealmRelayStatus;
};

/** Whom to tell of the configuration, and whom to ask what it runs. */
export type HotReload = { readonly tell: readonly RelayPod[]; readonly questions: Questions };

/**
 * Decides which Pods are told of the configuration, so that kubelet brings it to them at once, and which are asked what
 * they run: those that are not ready, or not known to run it. Where all is as the status says, that is nobody. Pure.
 */
export function hotReload({ pods, answers, hash, strategy, previous }: HotReloadInput): HotReload {
  const isSettled = settled(pods, hash, previous);
  const known = new Map(
    pods.flatMap((pod) => {
      const answer = answers.get(uid(pod)) ?? (isSettled ? runs(hash) : undefined);
      return answer === undefined ? [] : [[uid(pod), answer] as const];
    }),
  );
  const isAsked = (pod: RelayPod): boolean =>
    !isReady(pod) || known.get(uid(pod))?.report?.configHash !== hash || hasFault(known.get(uid(pod)));
  const ask = pods
    .filter(isAsked)
    .flatMap(asked)
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  const tell = strategy === 'HotReload' ? pods.filter((pod) => isBehind(pod, hash, known.get(uid(pod)))) : [];
  return { tell, questions: { answers: known, ask, subject: hash ?? '' } };
}

/** A Pod has an address once it runs. */
function asked(pod: RelayPod): Asked[] {
  const address = pod.status?.podIP;
  return address === undefined ? [] : [{ uid: uid(pod), address, ready: isReady(pod) }];
}

function uid({ metadata }: RelayPod): string {
  return metadata.uid ?? '';
}

function runs(hash = ''): Answer {
  return { report: { configHash: hash, configProblem: '', unready: [] }, failures: 0 };
}

/** Whether the status, which outlives the operator, says that every Pod was seen to run this. */
function settled(pods: readonly RelayPod[], hash: string | undefined, previous: RealmRelayStatus): boolean {
  const { configHash, updatedReplicas, endpoints = [] } = previous;
  const isQuiet = pods.every(isReady) && endpoints.every(({ ready }) => ready === true);
  return isQuiet && configHash === hash && updatedReplicas === pods.length;
}

/**
 * A Pod begins with the newest configuration, so one that has not answered yet is not told, unless it is ready and
 * will not answer.
 */
function isBehind(pod: RelayPod, hash: string | undefined, answer: Answer | undefined): boolean {
  if (hash === undefined || toldHash(pod) === hash) return false;
  if (isReady(pod) && isUnreachable(answer)) return true;
  return answer?.report !== undefined && answer.report.configHash !== hash;
}

function hasFault(answer: Answer | undefined): boolean {
  return (answer?.report?.unready.length ?? 0) > 0;
}
