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
import type { Verdict } from './verdict.ts';

/** What programming a relay needs of the cluster. */
export type ProgramCluster = {
  /** What there is of that name; see `Applier.observe`. */
  observe: (desired: KubeObject) => Promise<KubeObject | undefined>;
  apply: (desired: KubeObject) => Promise<Applied>;
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
  return programRelay(relay, problemsText(parsed.warnings.filter(({ path }) => path[0] === 'spec')), context);
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

async function programRelay(relay: Relay, warnings: string, context: ProgramContext): Promise<Programmed> {
  const observedService = await liveService(relay, context.cluster);
  const immutable = observedService === undefined ? [] : immutableFields(relay, observedService);
  const mayRecreate = immutable.length > 0 && relay.service.recreatePolicy === 'WhenNeeded';
  const { relayImage } = context;
  const desired = desiredObjects(relay, { relayImage, ...present('observedService', observedService) });
  // A Service to be made anew is not wanted for now, so it is deleted; its end brings the next reconcile.
  const wanted = mayRecreate ? desired.filter(({ kind }) => kind !== 'Service') : desired;
  const failed = await applyAll(relay, wanted, context);
  if (failed !== undefined) return (await recreated(failed, relay, context)) ?? failed;
  await prune(relay, wanted, context);
  if (immutable.length === 0) return { verdict: { kind: 'programmed', relay, warnings } };
  const message = problemsText(immutable);
  if (mayRecreate)
    return { verdict: { kind: 'pending', configured: relay, reason: 'RecreatingService', message } };
  return { verdict: { kind: 'blocked', configured: relay, reason: 'ServiceImmutable', message } };
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
    const { outcome, object } = await cluster.apply(wanted as KubeObject).catch(stopped(configured));
    if (outcome === 'stopped') return object;
    if (outcome === 'terminating') return { verdict: terminating(object, configured) };
    if (outcome !== 'unchanged') onWritten(outcome, object);
    if (wanted.kind === 'ConfigMap') configured = relay;
  }
  return undefined;
}

type Stopped = { readonly outcome: 'stopped'; readonly object: Programmed };

function stopped(configured: Relay | undefined): (error: unknown) => Stopped {
  return (error) => {
    if (error instanceof ResourceConflictError) return stop({ verdict: conflict(error, configured) });
    if (error instanceof RefusedError) return stop({ verdict: refused(error, configured), error });
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

function conflict({ kind, objectName }: ResourceConflictError, configured: Relay | undefined): Verdict {
  const message = `${kind} "${objectName}" exists and does not belong to this RealmRelay: delete or rename it, or give the RealmRelay another name.`;
  return { kind: 'blocked', configured, reason: 'ResourceConflict', message };
}

function refused(
  { kind, objectName, refusal, fields }: RefusedError,
  configured: Relay | undefined,
): Verdict {
  const message = `The API server refuses ${kind} "${objectName}": ${refusal}`;
  if (kind !== 'Service') {
    const reason = kind === 'Deployment' ? 'InvalidTemplate' : 'InvalidObject';
    return { kind: 'blocked', configured, reason, message };
  }
  if (!fields.includes('spec.loadBalancerClass'))
    return { kind: 'blocked', configured, reason: 'InvalidService', message };
  const remedy =
    'delete the Service, or set service.recreatePolicy: WhenNeeded (its cluster IPs, node ports and load-balancer address are lost)';
  return { kind: 'blocked', configured, reason: 'ServiceImmutable', message: `${message}: ${remedy}` };
}

function terminating({ kind, metadata }: KubeObject, configured: Relay | undefined): Verdict {
  const message = `${kind} "${metadata.name}" is still being deleted; it is made anew after that.`;
  return { kind: 'pending', configured, reason: 'Terminating', message };
}

/** Deletes what `relay` owns and does not want. */
async function prune(
  relay: Relay,
  wanted: readonly DesiredObject[],
  { cluster, onWritten }: ProgramContext,
): Promise<void> {
  const kept = new Set(wanted.map((object) => `${object.kind}/${objectKey(object as KubeObject)}`));
  for (const object of cluster.ownedBy(relay.metadata.uid ?? '')) {
    const isKept = kept.has(`${object.kind}/${objectKey(object)}`);
    if (isKept || object.metadata.deletionTimestamp !== undefined) continue;
    await cluster.delete(object);
    onWritten('deleted', object);
  }
}
