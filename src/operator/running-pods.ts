import type { NeededSecret } from '../desired/transports.ts';
import { cutToBytes } from '../lib/plain-text.ts';
import { isReady, isStuck, type RelayPod } from './pods.ts';
import { type PodReports, isUnreachable } from './relay-poller.ts';
import { podsRefused, type Rollout } from './rollout.ts';

/** Of the message of an endpoint in the status. */
const maxMessageBytes = 4_096;

/** What the live Pods of a relay run, as far as known. */
export type RunningPods = {
  readonly pods: number;
  /** How many run the wanted configuration; undefined while a Pod is unreachable. */
  readonly updated: number | undefined;
  /** Why Pods do not run it, each with the name of the Pod, sorted. */
  readonly problems: readonly string[];
  /** Names of Pods that kubelet cannot start, sorted. */
  readonly stuck: readonly string[];
  /** Endpoints that Pods do not serve, sorted. */
  readonly faults: readonly Fault[];
  /** Endpoints whose certificate is missing or not valid, which keeps Pods from nothing else; sorted, absent = none. */
  readonly certificates?: readonly CertificateFault[];
  /** Whether a DaemonSet has fewer Pods than it wants: an attempt to make one fails, or is still to come. */
  readonly isShort?: boolean;
  /** Why the API server refuses Pods of a DaemonSet, if it does. */
  readonly refusal?: string;
  /** Why the operator does not know its Pods, if it does not. */
  readonly unknownBecause?: string;
};

/** An endpoint that one Pod does not serve. */
export type Fault = { readonly endpoint: string; readonly pod: string; readonly message: string };

/** An endpoint that lacks a valid certificate in one Pod; `isServed` if an earlier one is in use there. */
export type CertificateFault = Fault & { readonly isServed: boolean };

/**
 * What `pods` run according to `reports`. Pure.
 *
 * @param hash  of the wanted configuration.
 */
export function runningPods(
  pods: readonly RelayPod[],
  answers: PodReports,
  hash: string | undefined,
): RunningPods {
  const known = pods.map((pod) => ({
    name: pod.metadata.name,
    report: answers.get(pod.metadata.uid ?? '')?.report,
  }));
  const isHidden = (pod: RelayPod): boolean =>
    isReady(pod) && isUnreachable(answers.get(pod.metadata.uid ?? ''));
  const updated = known.filter(({ report }) => report !== undefined && report.configHash === hash).length;
  return {
    pods: pods.length,
    updated: pods.some(isHidden) ? undefined : updated,
    problems: known
      .filter(({ report }) => report !== undefined && report.configProblem !== '')
      .map(({ name, report }) => `Pod "${name}": ${report?.configProblem ?? ''}`)
      .toSorted(),
    stuck: pods
      .filter(isStuck)
      .map(({ metadata }) => metadata.name)
      .toSorted(),
    faults: known.flatMap(({ name, report }) => faults(name, report?.unready ?? [])).toSorted(byText),
    certificates: known
      .flatMap(({ name: pod, report }) =>
        (report?.certificates ?? []).map(({ name, message, served }) => ({
          endpoint: name,
          pod,
          message,
          isServed: served,
        })),
      )
      .toSorted(byText),
  };
}

/** An endpoint without a message is not a fault: the relay has only just started. */
function faults(pod: string, unready: readonly { name: string; message: string }[]): Fault[] {
  return unready
    .filter(({ message }) => message !== '')
    .map(({ name, message }) => ({ endpoint: name, pod, message }));
}

function byText(a: Fault, b: Fault): number {
  return `${a.endpoint} ${a.pod}` < `${b.endpoint} ${b.pod}` ? -1 : 1;
}

/** The readiness of the endpoint called `name` for the status; empty while a Pod is unreachable. Pure. */
export function endpointReadiness(
  { updated, faults }: RunningPods,
  name: string,
): { ready?: boolean; message?: string } {
  if (updated === undefined) return {};
  const own = faults.filter(({ endpoint }) => endpoint === name);
  const message = own.map((fault) => `Pod "${fault.pod}": ${fault.message}`).join('; ');
  return { ready: updated > 0 && own.length === 0, message: cutToBytes(message, maxMessageBytes) };
}

const unreachable =
  'the operator cannot reach them: it runs outside the cluster, or a NetworkPolicy blocks TCP port 9465';

/**
 * `rollout` combined with what the Pods report about their configuration and endpoints. Pure.
 *
 * @param secrets  that the Pods mount. The operator may not read Secrets, so it does not know whether they exist.
 */
export function rolloutOf(
  rollout: Rollout,
  running: RunningPods,
  secrets: readonly NeededSecret[] = [],
): Rollout {
  const { pods, updated, problems, faults, refusal } = running;
  if (refusal !== undefined) return podsRefused(refusal);
  if (faults.length > 0) {
    const message = faults.map(
      (fault) => `Endpoint "${fault.endpoint}" in Pod "${fault.pod}": ${fault.message}`,
    );
    return { state: unready(rollout), reason: 'EndpointsNotReady', message: message.join('; ') };
  }
  // Pods that are about to be replaced may lack something that the newest configuration names, such as a Secret.
  if (problems.length > 0 && rollout.state !== 'progressing') {
    const message = `The relay rejects the newest configuration and keeps the previous one: ${problems.join('; ')}`;
    return { state: 'failed', reason: 'ConfigRefused', message };
  }
  if (rollout.state !== 'ready') return withSecrets(rollout, running, secrets);
  if (updated === undefined) {
    const because = running.unknownBecause ?? unreachable;
    const unknown = `Whether they run the newest configuration is unknown, since ${because}.`;
    return { ...rollout, message: `${rollout.message} ${unknown}` };
  }
  if (updated >= pods) return rollout;
  const message = `${String(updated)} of ${String(pods)} Pods run the newest configuration.`;
  return { state: 'progressing', reason: 'ConfigPending', message };
}

function unready({ state }: Rollout): Rollout['state'] {
  return state === 'ready' ? 'progressing' : state;
}

function withSecrets(rollout: Rollout, { stuck }: RunningPods, secrets: readonly NeededSecret[]): Rollout {
  const [pod] = stuck;
  if (pod === undefined || secrets.length === 0) return rollout;
  const needed = secrets.map(({ name, keys }) => `"${name}" (${keys.join(', ')})`).join(', ');
  const message = `${rollout.message} Pod "${pod}" cannot start: create the Secrets that it mounts, with these keys: ${needed}.`;
  return { ...rollout, message };
}
