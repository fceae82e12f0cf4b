import { type Action, awaitChange, requeueAfter, resyncAfter } from '../controller/action.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { KubeEvent } from '../kube/events.ts';
import { configHash } from '../desired/config-map.ts';
import { type KubeObject, type ObjectKey, objectKey } from '../kube/object.ts';
import { sameJson } from '../lib/same-json.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RelayObject } from './kinds.ts';
import type { ApplyCluster, ApplyResult } from './apply-context.ts';
import { applyObjects } from './apply-objects.ts';
import { hotReload } from './hot-reload.ts';
import { isLive, type RelayPod } from './pods.ts';
import type { PodPoller } from './relay-poller.ts';
import { type RunningPods, runningPods } from './running-pods.ts';
import { statusEvents } from './status-events.ts';
import { status } from './status.ts';
import { configured, type Verdict } from './verdict.ts';

/** A look at what is as it should be: watches tell of every change, so this only mends what nobody foresaw. */
const resyncMs = 36_000_000;
/** A look at what is not, or about which there is something to say: it may hang on what we do not watch. */
const problemResyncMs = 600_000;
/** What stands in the way is not ours, so nobody tells us when it goes. */
const blockedResyncMs = 30_000;

/** What a reconcile needs of the cluster. */
export type ReconcileCluster = ApplyCluster & {
  relay: (key: ObjectKey) => RelayObject | undefined;
  writeStatus: (object: RelayObject, status: RealmRelayStatus) => Promise<void>;
  podsOf: (key: ObjectKey) => RelayPod[];
  annotatePod: (pod: RelayPod, hash: string) => Promise<void>;
  recordEvent: (event: KubeEvent) => void;
};

/** With what a RealmRelay is reconciled. */
export type ReconcileContext = {
  readonly cluster: ReconcileCluster;
  readonly poller: PodPoller;
  readonly relayImage: string;
  readonly now: () => Date;
  readonly log: Logger;
};

/**
 * Makes the cluster match the RealmRelay at `key`. Idempotent: reads the whole relay, never an event, so it may run at
 * any time and any number of times; nothing is written where nothing differs.
 *
 * @returns when to run again without a change, or never once the relay is gone.
 * @throws the API server's error, for the controller to retry with backoff. The status says what is wrong first, where
 *   the error is about an object.
 */
export async function reconcile(key: ObjectKey, context: ReconcileContext): Promise<Action> {
  const object = context.cluster.relay(key);
  if (object === undefined || object.metadata.deletionTimestamp !== undefined) {
    context.poller.forget(key);
    return awaitChange;
  }
  try {
    const { verdict, error } = await applyAndReport(object, context);
    if (error !== undefined) throw error;
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

async function applyAndReport(object: RelayObject, context: ReconcileContext): Promise<ApplyResult> {
  const { cluster, relayImage, now, log } = context;
  const written = new Map<string, string[]>();
  const onWritten = (outcome: string, { kind, metadata: { name } }: KubeObject): void => {
    log.info({ outcome, kind, name }, 'object written');
    written.set(outcome, [...(written.get(outcome) ?? []), `${kind} ${name}`]);
  };
  const result = await applyObjects(object, { cluster, relayImage, onWritten }).finally(() => {
    for (const [outcome, names] of written)
      if (deservesEvent(outcome, object)) cluster.recordEvent(writtenEvent(object, outcome, names));
  });
  const { verdict } = result;
  const running = await updatePods(object, verdict, context);
  const owned = cluster.ownedBy(object);
  await writeStatusIfDiffers(object, status({ object, verdict, owned, running, now: now() }), context);
  const { generation } = object.metadata;
  log.debug({ generation, objects: owned.length, verdict: verdict.kind }, 'reconciled');
  return result;
}

/** Tells Pods of the configuration that was applied, has those asked that are not known to run it, and says what is known. */
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
  const { annotate, targets } = hotReload({ pods, reports: poller.reports(key), hash, strategy, previous });
  poller.poll(key, targets);
  await Promise.all(annotate.map((pod) => cluster.annotatePod(pod, hash ?? '')));
  return runningPods(pods, poller.reports(key), hash);
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
 * Whether users should hear of what was written. That a new RealmRelay got its objects is what they asked for and see, with
 * its status; that an object is made once more, since somebody deleted it, or is of a field that was added, is news.
 */
function deservesEvent(outcome: string, { status }: RelayObject): boolean {
  return outcome !== 'created' || (status?.conditions ?? []).length > 0;
}

/** One event for all that became of it in one reconcile: thousands of relays make enough of them. */
function writtenEvent(regarding: RelayObject, outcome: string, names: readonly string[]): KubeEvent {
  const reason = `${outcome.slice(0, 1).toUpperCase()}${outcome.slice(1)}`;
  return { regarding, type: 'Normal', reason, action: 'Apply', note: `${reason} ${names.join(', ')}` };
}
