import { type Action, awaitChange, requeueAfter, resyncAfter, retryAfter } from '../controller/action.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { Contest } from '../kube/contests.ts';
import { configHash } from '../desired/config-map.ts';
import type { Platform } from '../desired/platform.ts';
import { type ObjectKey, objectKey } from '../kube/object.ts';
import { type Backoff, backoffMs } from '../lib/backoff.ts';
import { asError } from '../lib/errors.ts';
import { sameJson } from '../lib/same-json.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Installations } from './installations.ts';
import type { RelayObject } from './kinds.ts';
import type { ApplyResult } from './apply-context.ts';
import { type EventContext, withEvents } from './apply-events.ts';
import { isPassing, withError } from './apply-failures.ts';
import { applyObjects } from './apply-objects.ts';
import { currentPods, followPods, type PodCluster } from './follow-pods.ts';
import { asOwner } from './owners.ts';
import { isLive, type RelayPod } from './pods.ts';
import type { PodPoller } from './relay-poller.ts';
import { statusEvents } from './status-events.ts';
import { status } from './status.ts';
import { configured, type Verdict } from './verdict.ts';

/** For relays that are as wanted: watches report every change, so this is only a safety net. */
const resyncMs = 36_000_000;
/** For relays with a problem or a warning: it may depend on something that is not watched. */
const problemResyncMs = 600_000;
/** For relays that wait for something which the operator may not see. */
const pendingResyncMs = 30_000;
/** For relays that a foreign object blocks: the operator does not watch it, so it must check, and often while somebody may be at it. */
const blockedRetry: Backoff = { initialMs: 1_000, maxMs: 30_000 };

/** What a reconcile needs of the cluster. */
export type ReconcileCluster = EventContext['cluster'] &
  PodCluster & {
    relay: (key: ObjectKey) => RelayObject | undefined;
    writeStatus: (object: RelayObject, status: RealmRelayStatus) => Promise<void>;
    podsOf: (key: ObjectKey) => RelayPod[];
    /** Whether others undo `status`, which was written before, again and again; with `waitMs` above 0, writing must wait. */
    undoneStatus: (object: RelayObject, status: RealmRelayStatus) => Contest | undefined;
  };

/** What a reconcile works with. */
export type ReconcileContext = {
  readonly cluster: ReconcileCluster;
  readonly poller: PodPoller;
  readonly installations: Pick<Installations, 'own' | 'left'>;
  readonly platform: Platform;
  readonly now: () => Date;
  readonly log: Logger;
  /** How many reconciles of this relay failed in a row before this one. */
  readonly failures: number;
  /** Called if the status could not be written, for a metric. */
  readonly onStatusFailure: () => void;
};

/**
 * Makes the cluster match the RealmRelay at `key`. Idempotent: it reads the whole relay, never an event, so it may run at
 * any time and any number of times; if nothing differs, nothing is written.
 *
 * @returns when to run again without a change; not at all once the relay is deleted, or if another installation serves it.
 * @throws what ended it, for the controller to retry with backoff, once the status reports it. A failure that is likely to
 *   be over at the next try is reported if that fails, too.
 */
export async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<Action> {
  const object = context.cluster.relay(key);
  if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
    context.poller.forget(key);
    return awaitChange;
  }
  const left = context.installations.left(object);
  if (left !== undefined) {
    context.poller.forget(key);
    return left;
  }
  const result = await act(object, context);
  const mayPass = result.error !== undefined && isPassing(result.error) && context.failures === 0;
  const reported = mayPass ? {} : await report(object, result.verdict, context);
  return actionAfter({ ...reported, ...result }, context.failures);
}

/** Does what is to be done. Never rejects, so that whatever happens reaches the one place where the status is written. */
async function act(object: RelayObject, context: ReconcileContext): Promise<ApplyResult> {
  const result = await apply(object, context);
  try {
    return { ...(await updatePods(object, result.verdict, context)), ...result };
  } catch (error) {
    return withError(result, error);
  }
}

/**
 * What follows a reconcile that came to this.
 *
 * @param failures  how many reconciles failed in a row before it.
 * @throws its error, for the controller to retry with backoff.
 */
export function actionAfter({ verdict, error, againMs }: ApplyResult, failures: number): Action {
  if (error === undefined) {
    if (againMs !== undefined) return requeueAfter(againMs);
    const isBlocked = 'reason' in verdict && verdict.reason === 'ResourceConflict';
    // Without jitter: such relays have nothing in common that they could overload.
    return isBlocked
      ? retryAfter(backoffMs(blockedRetry, failures + 1, 1))
      : resyncAfter(resyncDelayMs(verdict));
  }
  if (isKubeError(error, 429) && error.retryAfterMs !== undefined) return retryAfter(error.retryAfterMs);
  throw error;
}

function resyncDelayMs(verdict: Verdict): number {
  if (verdict.kind === 'programmed' && verdict.warnings === '') return resyncMs;
  return verdict.kind === 'pending' ? pendingResyncMs : problemResyncMs;
}

/** Applies the objects, and records one event for each outcome of a write. Never rejects. */
function apply(object: RelayObject, context: ReconcileContext): Promise<ApplyResult> {
  const subject = { object, conditions: object.status?.conditions ?? [] };
  return withEvents(subject, context, (applying) => applyObjects(object, applying));
}

/** Hash of the configuration that the Pods of `object` are to run; undefined if none was ever applied. */
function wantedHash({ status }: RelayObject, verdict: Verdict): string | undefined {
  const relay = configured(verdict);
  return relay === undefined ? status?.configHash : configHash(relay);
}

/** Annotates Pods with the configuration that was applied and polls those that are not known to run it. */
function updatePods(
  object: RelayObject,
  verdict: Verdict,
  context: ReconcileContext,
): Promise<Pick<ApplyResult, 'againMs'>> {
  const key = objectKey(object);
  const relay = configured(verdict);
  const previous = object.status ?? {};
  const followed = {
    key,
    pods: context.cluster.podsOf(key).filter(isLive),
    hash: wantedHash(object, verdict),
    endpoints: (relay ?? previous).endpoints?.map(({ name }) => name) ?? [],
    strategy: relay?.updateStrategy,
    previous,
  };
  return followPods(followed, context);
}

/** Writes the status if it differs, with the events of its changes. Returns why and when to try again, if it could not. */
async function report(
  object: RelayObject,
  verdict: Verdict,
  context: ReconcileContext,
): Promise<Omit<ApplyResult, 'verdict'>> {
  const { cluster, now, log, installations } = context;
  const owned = cluster.ownedBy(asOwner(object));
  const key = objectKey(object);
  const pods = cluster.podsOf(key).filter(isLive);
  const followed = {
    key,
    pods,
    hash: wantedHash(object, verdict),
    namespace: object.metadata.namespace ?? '',
  };
  const running = await currentPods(followed, owned, context);
  const next = status({ object, operator: installations.own, verdict, owned, running, now: now() });
  const { generation } = object.metadata;
  log.debug({ generation, objects: owned.length, verdict: verdict.kind }, 'reconciled');
  const again = running.isShort === true ? { againMs: waitMs(next, now()) } : {};
  return sameJson(object.status ?? {}, next) ? again : { ...again, ...(await write(object, next, context)) };
}

async function write(
  object: RelayObject,
  next: RealmRelayStatus,
  context: ReconcileContext,
): Promise<Omit<ApplyResult, 'verdict'>> {
  const { cluster, log } = context;
  const isAsked = object.status?.contender !== undefined; // whoever asks does not fight
  const contest = isAsked ? undefined : cluster.undoneStatus(object, next);
  if (contest?.isNews === true) {
    log.warn({ waitMs: contest.waitMs }, 'status is undone again and again');
    recordEvents(object, next, context); // which users see, whatever the others make of the status
  }
  if (contest !== undefined && contest.waitMs > 0) return { againMs: contest.waitMs };
  const error = await cluster.writeStatus(object, next).then(() => undefined, asError);
  if (error !== undefined) return unwritten(error, object, next, context);
  recordEvents(object, next, context);
  return {};
}

/** A quarter of the time that the relay has not been ready, so that a refusal is seen soon and then asked about rarely. */
function waitMs({ conditions = [] }: RealmRelayStatus, now: Date): number {
  const ready = conditions.find(({ type }) => type === 'Ready');
  const elapsedMs = now.getTime() - Date.parse(ready?.lastTransitionTime ?? now.toISOString());
  return Math.min(Math.max(elapsedMs / 4, 1_000), 60_000);
}

/** Records an event for each change that `next` brings. */
function recordEvents(object: RelayObject, next: RealmRelayStatus, { cluster }: ReconcileContext): void {
  for (const event of statusEvents(object.status?.conditions ?? [], next.conditions ?? []))
    cluster.recordEvent({ regarding: object, ...event });
}

function unwritten(
  error: Error,
  object: RelayObject,
  next: RealmRelayStatus,
  context: ReconcileContext,
): { error: Error } {
  if (isKubeError(error, 409)) return { error }; // it changed: the next reconcile sees that
  context.log.warn({ err: error }, 'failed to write the status, retrying');
  context.onStatusFailure();
  recordEvents(object, next, context); // which are then all that users see
  return { error };
}
