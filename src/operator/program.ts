import { parseRealmRelay, type ParsedRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import { desiredObjects, type DesiredObject } from '../desired/desired-objects.ts';
import { immutableFields, service, type ObservedService } from '../desired/service.ts';
import { RefusedError, ResourceConflictError } from '../kube/apply-errors.ts';
import type { Applied } from '../kube/apply.ts';
import { KubeError } from '../kube/kube-error.ts';
import { type KubeObject, objectKey } from '../kube/object.ts';
import { problemText, type Problem } from '../lib/problem.ts';
import { present } from '../lib/record.ts';
import type { RelayObject } from './objects.ts';
import { serviceOf } from './objects.ts';
import { conflict, refused, terminating } from './refusals.ts';
import { nodeSharing, type NodeSharingCluster } from './node-sharing.ts';
import { predecessor } from './succession.ts';
import type { Verdict } from './verdict.ts';

/** What programming a relay needs of the cluster. */
export type ProgramCluster = NodeSharingCluster & {
  /** What there is of that name; see `Applier.observe`. */
  observe: (desired: KubeObject) => Promise<KubeObject | undefined>;
  apply: (desired: KubeObject) => Promise<Applied>;
  /** Lets the number of Pods be as it is, when the Deployment that is to be applied says nothing of it. */
  keepReplicas: (desired: KubeObject) => Promise<void>;
  delete: (object: KubeObject) => Promise<void>;
  /** What the object with this uid owns. */
  ownedBy: (uid: string) => KubeObject[];
};

/** With what a relay is programmed. */
export type ProgramContext = {
  readonly cluster: ProgramCluster;
  readonly relayImage: string;
  /** Told of each object that was written: `created`, `updated`, `repaired`, `deleted`. */
  readonly onWritten: (outcome: string, object: KubeObject) => void;
};

/** What programming came to, and the error that it stopped at, if the next try should wait for longer each time. */
export type Programmed = { readonly verdict: Verdict; readonly error?: Error };

/**
 * Makes the objects of `object` as they should be, in their order, up to the first that cannot be; then deletes what it
 * owns and no longer needs. Nothing is touched where the spec cannot be run, or is paused.
 *
 * @throws the errors of the API server that are not about one object: the next try may find all well.
 */
export async function program(object: RelayObject, context: ProgramContext): Promise<Programmed> {
  const parsed = parseRealmRelay(object);
  const { relay } = parsed;
  const rejection = rejected(parsed);
  if (relay === undefined || rejection !== undefined) return { verdict: rejection ?? unreadable };
  if (relay.paused) return { verdict: { kind: 'paused' } };
  const warnings = parsed.warnings.filter(({ path }) => path[0] === 'spec').map(problemText);
  const { notes, isConflict } = await nodeSharing(relay, context.cluster);
  const said = { warnings: [...warnings, ...notes].join('; '), isNodeConflict: isConflict };
  return programRelay(relay, said, context);
}

const unreadable: Verdict = { kind: 'rejected', reason: 'Invalid', message: 'The spec cannot be read.' };

function rejected({ problems, conflicts }: ParsedRelay): Verdict | undefined {
  if (problems.length > 0) return { kind: 'rejected', reason: 'Invalid', message: problemsText(problems) };
  if (conflicts.length === 0) return undefined;
  return {
    kind: 'rejected',
    reason: 'PortConflict',
    message: conflicts.map(({ message }) => message).join('; '),
  };
}

function problemsText(problems: readonly Problem[]): string {
  return problems.map(problemText).join('; ');
}

/** Whether it is the Service that cannot be as wanted. */
function isService(verdict: Verdict): boolean {
  return (
    verdict.kind === 'blocked' &&
    ['InvalidService', 'ServiceImmutable', 'FamilyUnavailable'].includes(verdict.reason)
  );
}

type Said = { readonly warnings: string; readonly isNodeConflict: boolean };

async function programRelay(relay: Relay, said: Said, context: ProgramContext): Promise<Programmed> {
  const observedService = await liveService(relay, context.cluster);
  const immutable = observedService === undefined ? [] : immutableFields(relay, observedService);
  const mayRecreate = immutable.length > 0 && relay.service.recreatePolicy === 'WhenNeeded';
  const { relayImage } = context;
  const desired = desiredObjects(relay, { relayImage, ...present('observedService', observedService) });
  // A Service to be made anew is not wanted for now, so it is deleted; its end brings the next reconcile.
  const wanted = mayRecreate ? desired.filter(({ kind }) => kind !== 'Service') : desired;
  await releaseFromAutoscaler(relay, context);
  const failed = await applyAll(relay, wanted, context);
  if (failed !== undefined) {
    if (isService(failed.verdict)) await prune(relay, wanted, context); // the last of all: the rest is as wanted
    return (await recreated(failed, relay, context)) ?? failed;
  }
  await prune(relay, wanted, context);
  if (immutable.length === 0) return { verdict: { kind: 'programmed', relay, ...said } };
  const message = problemsText(immutable);
  if (mayRecreate)
    return { verdict: { kind: 'pending', configured: relay, reason: 'RecreatingService', message } };
  return { verdict: { kind: 'blocked', configured: relay, reason: 'ServiceImmutable', message } };
}

/** Before the number of Pods is ours again, nobody else may write it. */
async function releaseFromAutoscaler(relay: Relay, { cluster, onWritten }: ProgramContext): Promise<void> {
  const kind = 'HorizontalPodAutoscaler';
  const autoscaler = cluster.ownedBy(relay.metadata.uid ?? '').find((object) => object.kind === kind);
  if (relay.autoscaling !== undefined || autoscaler === undefined) return;
  if (autoscaler.metadata.deletionTimestamp !== undefined) return;
  await cluster.delete(autoscaler);
  onWritten('deleted', autoscaler);
}

/** Deletes the Service whose class was to be taken away, which only the API server can tell, where the user allows it. */
async function recreated(
  { verdict }: Programmed,
  relay: Relay,
  { cluster, onWritten }: ProgramContext,
): Promise<Programmed | undefined> {
  const isImmutable = verdict.kind === 'blocked' && verdict.reason === 'ServiceImmutable';
  const live = cluster.ownedBy(relay.metadata.uid ?? '').find(({ kind }) => kind === 'Service');
  if (!isImmutable || relay.service.recreatePolicy === 'Never' || live === undefined) return undefined;
  await cluster.delete(live);
  onWritten('deleted', live);
  return { verdict: { ...verdict, kind: 'pending', reason: 'RecreatingService' } };
}

/** The live Service, where it is ours: what it cannot change decides what may be wanted of it. */
async function liveService(relay: Relay, cluster: ProgramCluster): Promise<ObservedService | undefined> {
  if (!relay.service.enabled) return undefined;
  const live = await cluster.observe(service(relay, undefined) as KubeObject).catch(foreign);
  const { ipFamilies, ipFamilyPolicy, ...spec } = serviceOf(live === undefined ? [] : [live])?.spec ?? {};
  if (ipFamilies === undefined || ipFamilyPolicy === undefined) return undefined;
  return { ...spec, ipFamilies, ipFamilyPolicy } as ObservedService;
}

/** That it is another's is told when its turn to be applied comes, so that the objects before it are. */
function foreign(error: unknown): undefined {
  if (!(error instanceof ResourceConflictError)) throw error;
}

/** Resolves with what came of it where it stopped before the end. */
async function applyAll(
  relay: Relay,
  desired: readonly DesiredObject[],
  { cluster, onWritten }: ProgramContext,
): Promise<Programmed | undefined> {
  let configured: Relay | undefined;
  for (const wanted of desired) {
    const { outcome, object } = await applyOne(relay, wanted as KubeObject, cluster).catch(
      stopped(wanted as KubeObject, configured),
    );
    if (outcome === 'stopped') return object;
    if (outcome === 'terminating') return { verdict: terminating(object, configured) };
    if (outcome !== 'unchanged') onWritten(outcome, object);
    if (wanted.kind === 'ConfigMap') configured = relay;
  }
  return undefined;
}

async function applyOne(relay: Relay, wanted: KubeObject, cluster: ProgramCluster): Promise<Applied> {
  if (wanted.kind === 'Deployment' && relay.autoscaling !== undefined) await cluster.keepReplicas(wanted);
  return cluster.apply(wanted);
}

type Stopped = { readonly outcome: 'stopped'; readonly object: Programmed };

function stopped(wanted: KubeObject, configured: Relay | undefined): (error: unknown) => Stopped {
  return (error) => {
    if (error instanceof ResourceConflictError) return stop({ verdict: conflict(error, configured) });
    if (error instanceof RefusedError) {
      const verdict = refused(error, wanted, configured);
      // What families a cluster has does not change from one try to the next.
      return stop(verdict.reason === 'FamilyUnavailable' ? { verdict } : { verdict, error });
    }
    if (!(error instanceof KubeError) || !isAboutObject(error)) throw error;
    const { message } = error;
    return stop({ verdict: { kind: 'pending', configured, reason: 'ApplyFailed', message }, error });
  };
}

function stop(object: Programmed): Stopped {
  return { outcome: 'stopped', object };
}

/** A refusal that stays until somebody grants or frees something, such as a permission or a quota. */
function isAboutObject({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && ![401, 404, 409, 429].includes(status);
}

/** Deletes what `relay` owns and does not want, but for a workload that still serves in place of another. */
async function prune(
  relay: Relay,
  wanted: readonly DesiredObject[],
  { cluster, onWritten }: ProgramContext,
): Promise<void> {
  const kept = new Set(wanted.map((object) => `${object.kind}/${objectKey(object as KubeObject)}`));
  const owned = cluster.ownedBy(relay.metadata.uid ?? '');
  const serving = predecessor(relay, owned);
  for (const object of owned) {
    const isKept = object === serving || kept.has(`${object.kind}/${objectKey(object)}`);
    if (isKept || object.metadata.deletionTimestamp !== undefined) continue;
    await cluster.delete(object);
    onWritten('deleted', object);
  }
}
