import type { RealmRelay } from '../../api/schema/realm-relay.ts';
import { counted } from '../../lib/counted.ts';
import { plainText } from '../../lib/plain-text.ts';
import { isRecord } from '../../lib/record.ts';
import type { ClusterRelays, ContainerStatus, PodWarning, RelayPod } from '../cluster-relays.ts';
import { ok, problem, warning, type Check } from './check.ts';

const maxLength = 500;

/** Why each of the relays is not Ready, from the objects of the API server and the relays' own reports. */
export async function clusterChecks(cluster: ClusterRelays): Promise<Check[]> {
  const relays = await cluster.relays();
  if (relays.length === 0)
    return [warning('RealmRelays', 'there is none', 'kubectl apply -f one, or give -n NAMESPACE or -A')];
  const all = await Promise.all(relays.map((relay) => relayChecks(relay, cluster)));
  return all.flat();
}

async function relayChecks(relay: RealmRelay, cluster: ClusterRelays): Promise<Check[]> {
  const { name, namespace = 'default', generation = 0 } = relay.metadata;
  const subject = `${namespace}/${name}`;
  const { conditions = [], observedGeneration = -1 } = relay.status ?? {};
  const findings = conditions
    .filter(({ type, status }) =>
      statesHealth.includes(type) ? status !== 'True' : type === 'Stalled' && status === 'True',
    )
    .map(({ type, status, reason, message }) => {
      return problem(subject, `${type} is ${status} (${reason})`, plainText(message, maxLength));
    });
  if (observedGeneration < generation) findings.push(unseen(subject, observedGeneration));
  const pods = await cluster.pods(relay);
  const warnings = pods.length === 0 ? [] : await cluster.podWarnings(namespace);
  const ofPods = await Promise.all(pods.map((pod) => podChecks(pod, warnings, cluster)));
  const found = [...findings, ...ofPods.flat()];
  if (found.length > 0) return found;
  return [
    ok(subject, relay.spec.paused === true ? 'is paused' : `is Ready, with ${String(pods.length)} Pods`),
  ];
}

const statesHealth = ['Accepted', 'Programmed', 'Ready'];

function unseen(subject: string, observed: number): Check {
  const what = observed < 0 ? 'no operator has seen it' : 'the operator has not seen its last change';
  const remedy =
    'check that one runs and watches the namespace: kubectl get pods -A -l app.kubernetes.io/name=realm-operator';
  return problem(subject, what, remedy);
}

async function podChecks(
  pod: RelayPod,
  warnings: readonly PodWarning[],
  cluster: ClusterRelays,
): Promise<Check[]> {
  const { name, namespace } = pod.metadata;
  const subject = `Pod ${namespace}/${name}`;
  const { conditions = [], containerStatuses = [] } = pod.status ?? {};
  const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  const checks = [
    ...schedulingChecks(subject, pod),
    ...containerStatuses.flatMap((status) => containerChecks(status, pod)),
    ...(isReady ? [] : eventChecks(pod, warnings)),
    ...reportChecks(subject, await cluster.ask(pod, '/summary')),
  ];
  if (isReady || checks.length > 0) return checks;
  return [problem(subject, 'is not ready', describe(pod))];
}

function describe({ metadata: { name, namespace } }: RelayPod): string {
  return `see kubectl describe pod ${name} -n ${namespace}`;
}

function schedulingChecks(subject: string, { status }: RelayPod): Check[] {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status !== 'False') return [];
  const remedy = 'free resources, or relax podTemplate.spec';
  return [problem(subject, `is on no node (${text(scheduled.message)})`, remedy)];
}

function containerChecks({ state, lastState, restartCount }: ContainerStatus, pod: RelayPod): Check[] {
  const { name, namespace } = pod.metadata;
  const subject = `Pod ${namespace}/${name}`;
  const checks: Check[] = [];
  const { reason, message } = state?.waiting ?? {};
  if (reason !== undefined && reason !== 'ContainerCreating')
    checks.push(problem(subject, `${reason} (${text(message)})`, remedyFor(reason, name, namespace)));
  const ended = lastState?.terminated;
  if (ended === undefined) return checks;
  const why = ended.reason ?? `exit code ${String(ended.exitCode)}`;
  const what = `was restarted ${counted(restartCount, 'time')}, last after ${why}`;
  return [...checks, warning(subject, what, remedyFor(why, name, namespace))];
}

function text(message = ''): string {
  return plainText(message, maxLength);
}

/** What to do about a reason of Kubernetes. */
function remedyFor(reason: string, pod: string, namespace: string): string {
  if (/Image|Registry/.test(reason))
    return 'correct spec.image, or name the registry credentials in podTemplate.spec.imagePullSecrets';
  if (reason === 'OOMKilled') return 'raise spec.resources.limits.memory, or set network.maxConnections';
  if (reason === 'CreateContainerConfigError') return 'create what the message names';
  return `read why: kubectl logs ${pod} -n ${namespace} --previous`;
}

/** The last event of each reason. */
function eventChecks(pod: RelayPod, warnings: readonly PodWarning[]): Check[] {
  const { name, namespace } = pod.metadata;
  const own = warnings.filter(({ involvedObject }) => involvedObject.name === name);
  const last = new Map(own.map(({ reason = '', message }) => [reason, message]));
  return [...last].map(([reason, message]) => {
    const remedy = reason === 'FailedMount' ? 'create the Secret that the message names' : describe(pod);
    return problem(`Pod ${namespace}/${name}`, `${reason} (${text(message)})`, remedy);
  });
}

/** What the relay itself reports in `/summary`, which a tenant's image may answer with anything. */
function reportChecks(subject: string, summary: unknown): Check[] {
  if (!isRecord(summary)) return [];
  const { configProblem, unready } = summary;
  const rejected = typeof configProblem === 'string' && configProblem !== '' ? [text(configProblem)] : [];
  const endpoints = Array.isArray(unready) ? (unready as readonly unknown[]).filter(isRecord) : [];
  return [
    ...rejected.map((what) => problem(subject, 'does not run the newest configuration', what)),
    ...endpoints.map(({ name, message }) =>
      problem(subject, `endpoint "${text(String(name))}" is not served`, text(String(message))),
    ),
  ];
}
