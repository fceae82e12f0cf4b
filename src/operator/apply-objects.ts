import { parseRealmRelay, type ParsedRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import { desiredObjects, type DesiredObject } from '../desired/desired-objects.ts';
import { immutableFields, service, type ObservedService } from '../desired/service.ts';
import { ApplyFailedError, RefusedError, ResourceConflictError } from '../kube/apply-errors.ts';
import type { Applied } from '../kube/apply.ts';
import { KubeError } from '../kube/kube-error.ts';
import { type KubeObject, objectKey } from '../kube/object.ts';
import { problemText, type Problem } from '../lib/problem.ts';
import type { RelayObject } from './kinds.ts';
import { serviceOf } from './kinds.ts';
import { conflictVerdict, failedVerdict, refusedVerdict, terminatingVerdict } from './apply-failures.ts';
import { nodeSharing, type NodeSharingCluster } from './node-sharing.ts';
import { predecessor } from './workload-handover.ts';
import type { Verdict } from './verdict.ts';

/** What there is of a wanted object; rejected where that is another's, or could not be read. */
type Seen = Promise<KubeObject | undefined>;

/** A wanted object, and what there is of it. */
type Wanted = { readonly object: DesiredObject; readonly seen: Seen };

/** What programming a relay needs of the cluster. */
export type ApplyCluster = NodeSharingCluster & {
  /** What there is of that name; see `Applier.observe`. */
  observe: (desired: KubeObject) => Promise<KubeObject | undefined>;
  /** Applies it; `seen` is what `observe` found. */
  apply: (desired: KubeObject, seen: Seen) => Promise<Applied>;
  /** Lets the number of Pods be as it is, when the Deployment that is to be applied says nothing of it. */
  keepReplicas: (desired: KubeObject, seen: Seen) => Promise<void>;
  delete: (object: KubeObject) => Promise<void>;
  /** What `owner` owns: it, and none before or after it of its name. */
  ownedBy: (owner: Pick<KubeObject, 'metadata'>) => KubeObject[];
};

/** With what a relay is programmed. */
export type ApplyContext = {
  readonly cluster: ApplyCluster;
  readonly relayImage: string;
  /** Told of each object that was written: `created`, `updated`, `repaired`, `deleted`. */
  readonly onWritten: (outcome: string, object: KubeObject) => void;
};

/** What programming came to, and the error that it stopped at, if the next try should wait for longer each time. */
export type ApplyResult = { readonly verdict: Verdict; readonly error?: Error };

/**
 * Makes the objects of `object` as they should be, up to the first that cannot be; where none is such, deletes what it
 * owns and no longer needs. Nothing is touched where the spec cannot be run, or is paused.
 *
 * @throws the errors of the API server that are not about one object: the next try may find all well.
 */
export async function applyObjects(object: RelayObject, context: ApplyContext): Promise<ApplyResult> {
  const parsed = parseRealmRelay(asWritten(object));
  const { relay } = parsed;
  const rejection = rejected(parsed);
  if (relay === undefined || rejection !== undefined) return { verdict: rejection ?? unreadable };
  if (relay.paused) return { verdict: { kind: 'paused' } };
  const warnings = parsed.warnings.map(problemText);
  const { notes, isConflict } = await nodeSharing(relay, context.cluster);
  const said = { warnings: [...warnings, ...notes].join('; '), isNodeConflict: isConflict };
  return applyRelay(relay, said, context);
}

/** What the user wrote, with what tells which one it is: the rest is the API server's and ours, and no field of the schema. */
function asWritten({ apiVersion, kind, metadata, spec }: RelayObject): object {
  const { name, namespace, uid } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid }, spec };
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

async function applyRelay(relay: Relay, said: Said, context: ApplyContext): Promise<ApplyResult> {
  const { desired, observedService } = await observed(relay, context);
  const immutable = observedService === undefined ? [] : immutableFields(relay, observedService);
  const mayRecreate = immutable.length > 0 && relay.service.recreatePolicy === 'WhenNeeded';
  // A Service to be made anew is not wanted for now, so it is deleted; its end brings the next reconcile.
  const wanted = mayRecreate ? desired.filter(({ object }) => object.kind !== 'Service') : desired;
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
async function releaseFromAutoscaler(relay: Relay, { cluster, onWritten }: ApplyContext): Promise<void> {
  const kind = 'HorizontalPodAutoscaler';
  const autoscaler = cluster.ownedBy(relay).find((object) => object.kind === kind);
  if (relay.autoscaling !== undefined || autoscaler === undefined) return;
  if (autoscaler.metadata.deletionTimestamp !== undefined) return;
  await cluster.delete(autoscaler);
  onWritten('deleted', autoscaler);
}

/** Deletes the Service whose class was to be taken away, which only the API server can tell, where the user allows it. */
async function recreated(
  { verdict }: ApplyResult,
  relay: Relay,
  { cluster, onWritten }: ApplyContext,
): Promise<ApplyResult | undefined> {
  const isImmutable = verdict.kind === 'blocked' && verdict.reason === 'ServiceImmutable';
  const live = cluster.ownedBy(relay).find(({ kind }) => kind === 'Service');
  if (!isImmutable || relay.service.recreatePolicy === 'Never' || live === undefined) return undefined;
  await cluster.delete(live);
  onWritten('deleted', live);
  return { verdict: { ...verdict, kind: 'pending', reason: 'RecreatingService' } };
}

type Observed = { readonly desired: Wanted[]; readonly observedService: ObservedService | undefined };

/**
 * What is wanted, and what there is of it, which is looked for all at once: of a relay that is new the API server has to be
 * asked. What the live Service cannot change decides what may be wanted of it.
 */
async function observed(relay: Relay, { cluster, relayImage }: ApplyContext): Promise<Observed> {
  const desired = desiredObjects(relay, { relayImage }).map((object) => {
    const seen = cluster.observe(object);
    seen.catch(() => undefined); // told when the turn of the object comes, so that those before it are applied
    return { object, seen };
  });
  const live = desired.find(({ object }) => object.kind === 'Service');
  const observedService = live === undefined ? undefined : await liveService(live.seen);
  if (observedService === undefined) return { desired, observedService };
  const fitting = service(relay, observedService);
  return {
    desired: desired.map((wanted) => (wanted === live ? { ...live, object: fitting } : wanted)),
    observedService,
  };
}

async function liveService(seen: Seen): Promise<ObservedService | undefined> {
  const live = await seen.catch(foreign);
  const { ipFamilies, ipFamilyPolicy, ...spec } = serviceOf(live === undefined ? [] : [live])?.spec ?? {};
  if (ipFamilies === undefined || ipFamilyPolicy === undefined) return undefined;
  return { ...spec, ipFamilies, ipFamilyPolicy } as ObservedService;
}

/** That it is another's is told when its turn to be applied comes, so that the objects before it are. */
function foreign(error: unknown): undefined {
  if (!(error instanceof ResourceConflictError)) throw error;
}

/**
 * Applies what comes before the Pods, then the Pods and what goes with them, and the Service beside that: it waits for nothing
 * but the configuration, whose ports it has.
 *
 * @returns what came of it where it stopped before the end; of the two that stopped side by side, the first.
 */
async function applyAll(
  relay: Relay,
  desired: readonly Wanted[],
  context: ApplyContext,
): Promise<ApplyResult | undefined> {
  const { before = [], pods = [], service = [] } = Object.groupBy(desired, turn);
  const early = await applyInTurn(relay, before, context);
  if (early !== undefined) return early;
  const [ofPods, ofService] = await Promise.allSettled([
    applyInTurn(relay, pods, context, relay),
    applyInTurn(relay, service, context, relay),
  ]);
  return value(ofPods) ?? value(ofService);
}

function turn({ object: { kind } }: Wanted): 'before' | 'pods' | 'service' {
  if (kind === 'Service') return 'service';
  return kind === 'ConfigMap' || kind === 'NetworkPolicy' ? 'before' : 'pods';
}

function value<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

/**
 * @param configured  the relay whose configuration has been applied, where one has.
 * @returns what came of it where it stopped before the end.
 */
async function applyInTurn(
  relay: Relay,
  desired: readonly Wanted[],
  { cluster, onWritten }: ApplyContext,
  configured?: Relay,
): Promise<ApplyResult | undefined> {
  for (const wanted of desired) {
    const { outcome, object } = await applyOne(relay, wanted, cluster).catch(
      stopped(wanted.object as KubeObject, configured),
    );
    if (outcome === 'stopped') return object;
    if (outcome === 'terminating') return { verdict: terminatingVerdict(object, configured) };
    if (outcome !== 'unchanged') onWritten(outcome, object);
    if (wanted.object.kind === 'ConfigMap') configured = relay;
  }
  return undefined;
}

async function applyOne(relay: Relay, { object, seen }: Wanted, cluster: ApplyCluster): Promise<Applied> {
  const wanted = object as KubeObject;
  if (wanted.kind === 'Deployment' && relay.autoscaling !== undefined)
    await cluster.keepReplicas(wanted, seen);
  return cluster.apply(wanted, seen);
}

type Stopped = { readonly outcome: 'stopped'; readonly object: ApplyResult };

function stopped(wanted: KubeObject, configured: Relay | undefined): (error: unknown) => Stopped {
  return (error) => {
    if (error instanceof ResourceConflictError) return stop({ verdict: conflictVerdict(error, configured) });
    if (error instanceof RefusedError) {
      const verdict = refusedVerdict(error, wanted, configured);
      // What families a cluster has does not change from one try to the next.
      return stop(verdict.reason === 'FamilyUnavailable' ? { verdict } : { verdict, error });
    }
    if (!(error instanceof ApplyFailedError || (error instanceof KubeError && isAboutObject(error))))
      throw error;
    return stop({ verdict: failedVerdict(error, configured), error });
  };
}

function stop(object: ApplyResult): Stopped {
  return { outcome: 'stopped', object };
}

/** A refusal that stays until somebody grants or frees something, such as a permission or a quota. */
function isAboutObject({ status }: KubeError): boolean {
  return status >= 400 && status < 500 && ![401, 404, 409, 429].includes(status);
}

/** Deletes what `relay` owns and does not want, but for a workload that still serves in place of another. */
async function prune(
  relay: Relay,
  wanted: readonly Wanted[],
  { cluster, onWritten }: ApplyContext,
): Promise<void> {
  const kept = new Set(wanted.map(({ object }) => `${object.kind}/${objectKey(object as KubeObject)}`));
  const owned = cluster.ownedBy(relay);
  const serving = predecessor(relay, owned);
  for (const object of owned) {
    const isKept = object === serving || kept.has(`${object.kind}/${objectKey(object)}`);
    if (isKept || object.metadata.deletionTimestamp !== undefined) continue;
    await cluster.delete(object);
    onWritten('deleted', object);
  }
}
