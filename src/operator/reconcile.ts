import type { V1DaemonSet } from '@kubernetes/client-node';
import { type Action, awaitChange, requeueAfter, resyncAfter } from '../controller/action.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { KubeEvent } from '../kube/events.ts';
import { configHash } from '../desired/config-map.ts';
import type { Platform } from '../desired/platform.ts';
import { type KubeObject, type ObjectKey, objectKey } from '../kube/object.ts';
import { present } from '../lib/record.ts';
import { sameJson } from '../lib/same-json.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RelayObject } from './kinds.ts';
import type { ApplyCluster, ApplyResult } from './apply-context.ts';
import { applyObjects } from './apply-objects.ts';
import { hotReload } from './hot-reload.ts';
import { shortDaemonSet } from './pod-refusals.ts';
import { isLive, podResource, type RelayPod } from './pods.ts';
import type { PodPoller } from './relay-poller.ts';
import { type RunningPods, runningPods } from './running-pods.ts';
import { statusEvents } from './status-events.ts';
import { status } from './status.ts';
import { configured, type Verdict } from './verdict.ts';
import { watchText } from './watches.ts';

/** For relays that are as wanted: watches report every change, so this is only a safety net. */
const resyncMs = 36_000_000;
/** For relays with a problem or a warning: it may depend on something that is not watched. */
const problemResyncMs = 600_000;
/** For relays that a foreign object blocks: the operator does not watch it, so it must check. */
const blockedResyncMs = 30_000;

/** What a reconcile needs of the cluster. */
export type ReconcileCluster = ApplyCluster & {
  relay: (key: ObjectKey) => RelayObject | undefined;
  writeStatus: (object: RelayObject, status: RealmRelayStatus) => Promise<void>;
  podsOf: (key: ObjectKey) => RelayPod[];
  /** Why the API server refuses Pods of `daemonSet`, if that is known; see `PodRefusals`. */
  podRefusal: (daemonSet: V1DaemonSet) => Promise<string | undefined>;
  annotatePod: (pod: RelayPod, hash: string) => Promise<void>;
  recordEvent: (event: KubeEvent) => void;
};

/** What a reconcile works with. */
export type ReconcileContext = {
  readonly cluster: ReconcileCluster;
  readonly poller: PodPoller;
  readonly platform: Platform;
  readonly now: () => Date;
  readonly log: Logger;
};

/**
 * Makes the cluster match the RealmRelay at `key`. Idempotent: it reads the whole relay, never an event, so it may run at
 * any time and any number of times; if nothing differs, nothing is written.
 *
 * @returns when to run again without a change; not at all once the relay is deleted.
 * @throws the API server's error, for the controller to retry with backoff. If it is about an object, the status reports it
 *   first.
 */
export async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<Action> {
  const object = context.cluster.relay(key);
  if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
    context.poller.forget(key);
    return awaitChange;
  }
  try {
    const { verdict, error, againMs } = await applyAndReport(object, context);
    if (error !== undefined) throw error;
    if (againMs !== undefined) return requeueAfter(againMs);
    return resyncAfter(resyncDelayMs(verdict));
  } catch (error) {
    if (!isKubeError(error, 429) || error.retryAfterMs === undefined) throw error;
    return requeueAfter(error.retryAfterMs);
  }
}

function resyncDelayMs(verdict: Verdict): number {
  if (verdict.kind === 'programmed' && verdict.warnings === '') return resyncMs;
  const isForeign =
    verdict.kind === 'pending' || ('reason' in verdict && verdict.reason === 'ResourceConflict');
  return isForeign ? blockedResyncMs : problemResyncMs;
}

/** The result of a reconcile; `againMs`: how soon it has to look again for what nothing notifies it of. */
type Turn = ApplyResult & { readonly againMs?: number };

async function applyAndReport(object: RelayObject, context: ReconcileContext): Promise<Turn> {
  const { cluster, platform, now, log } = context;
  const written = new Map<string, string[]>();
  const onWritten = (outcome: string, { kind, metadata: { name } }: KubeObject): void => {
    log.info({ outcome, kind, name }, 'object written');
    written.set(outcome, [...(written.get(outcome) ?? []), `${kind} ${name}`]);
  };
  const result = await applyObjects(object, { cluster, platform, onWritten }).finally(() => {
    for (const [outcome, names] of written)
      if (deservesEvent(outcome, object)) cluster.recordEvent(writtenEvent(object, outcome, names));
  });
  const { verdict } = result;
  const running = await updatePods(object, verdict, context);
  const owned = cluster.ownedBy(object);
  const next = status({ object, verdict, owned, running, now: now() });
  await writeStatusIfDiffers(object, next, context);
  const { generation } = object.metadata;
  log.debug({ generation, objects: owned.length, verdict: verdict.kind }, 'reconciled');
  return running.isShort === true ? { ...result, againMs: waitMs(next, now()) } : result;
}

/** A quarter of the time that the relay has not been ready, so that a refusal is seen soon and then asked about rarely. */
function waitMs({ conditions = [] }: RealmRelayStatus, now: Date): number {
  const ready = conditions.find(({ type }) => type === 'Ready');
  const elapsedMs = now.getTime() - Date.parse(ready?.lastTransitionTime ?? now.toISOString());
  return Math.min(Math.max(elapsedMs / 4, 1_000), 60_000);
}

/** Annotates Pods with the configuration that was applied and polls those that are not known to run it. Returns what is known. */
async function updatePods(
  object: RelayObject,
  verdict: Verdict,
  { cluster, poller }: ReconcileContext,
): Promise<RunningPods> {
  const key = objectKey(object);
  const relay = configured(verdict);
  const previous = object.status ?? {};
  const hash = relay === undefined ? previous.configHash : configHash(relay);
  const pods = cluster.podsOf(key).filter(isLive);
  const strategy = relay?.updateStrategy;
  const endpoints = (relay ?? previous).endpoints?.map(({ name }) => name) ?? [];
  const reports = poller.reports(key);
  const { annotate, targets } = hotReload({ pods, reports, hash, endpoints, strategy, previous });
  poller.poll(key, targets);
  await Promise.all(annotate.map((pod) => cluster.annotatePod(pod, hash ?? '')));
  const short = shortDaemonSet(cluster.ownedBy(object));
  const running = {
    ...runningPods(pods, poller.reports(key), hash),
    isShort: short !== undefined,
    ...present('refusal', short && (await cluster.podRefusal(short))),
  };
  const [problem] = cluster.watchProblemsOf([podResource.kind], object.metadata.namespace ?? '');
  return problem === undefined
    ? running
    : { ...running, updated: undefined, unknownBecause: watchText(problem) };
}

async function writeStatusIfDiffers(
  object: RelayObject,
  next: RealmRelayStatus,
  { cluster }: ReconcileContext,
): Promise<void> {
  if (sameJson(object.status ?? {}, next)) return;
  await cluster.writeStatus(object, next);
  const events = statusEvents(object.status?.conditions ?? [], next.conditions ?? []);
  for (const event of events) cluster.recordEvent({ regarding: object, ...event });
}

/**
 * Whether a write deserves an event. Users expect that a new RealmRelay gets its objects, and see that in its status. It is
 * worth an event if an object is created later, because it was deleted or a field was added.
 */
function deservesEvent(outcome: string, { status }: RelayObject): boolean {
  return outcome !== 'created' || (status?.conditions ?? []).length > 0;
}

/** One event for all writes with this outcome in a reconcile, since thousands of relays produce many. */
function writtenEvent(regarding: RelayObject, outcome: string, names: readonly string[]): KubeEvent {
  const reason = `${outcome.slice(0, 1).toUpperCase()}${outcome.slice(1)}`;
  return { regarding, type: 'Normal', reason, action: 'Apply', note: `${reason} ${names.join(', ')}` };
}
