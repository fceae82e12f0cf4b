import { type Action, awaitChange, requeueAfter } from '../../controller/action.ts';
import { conditionTime } from '../../api/dated-conditions.ts';
import type { Relay } from '../../api/relay.ts';
import { configHash } from '../../desired/config-map.ts';
import { onPlatform, type Platform } from '../../desired/platform.ts';
import { neededSecrets } from '../../desired/transports.ts';
import { gatewayDecision, type GatewayDecision } from '../../gateway/gateway-decision.ts';
import { gatewayStatus, hasGatewayStatus } from '../../gateway/gateway-status.ts';
import { relayName } from '../../gateway/names.ts';
import type { GatewayClass } from '../../gateway/types.ts';
import type { KubeObject, ObjectKey } from '../../kube/object.ts';
import { asError } from '../../lib/errors.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ApplyResult } from '../apply-context.ts';
import { type EventContext, withEvents } from '../apply-events.ts';
import { failed, isPassing, withError } from '../apply-failures.ts';
import { programRelay } from '../apply-objects.ts';
import { currentPods, followPods, type PodCluster } from '../follow-pods.ts';
import { gatewayResource } from '../kinds.ts';
import { asOwner } from '../owners.ts';
import { isLive, type RelayPod } from '../pods.ts';
import { deleteObjects } from '../prune.ts';
import { actionAfter } from '../reconcile.ts';
import type { PodPoller } from '../relay-poller.ts';
import type { StatusWriter } from '../status-writer.ts';
import { configured, type Verdict } from '../verdict.ts';
import type { GatewayObject } from './kinds.ts';
import { gatewayOutcome, observedHash } from './outcome.ts';
import type { Pacer } from './pacer.ts';
import { type GatewayStores, isOwnClass } from './stores.ts';

/** What a reconcile of a Gateway needs of the cluster. */
export type GatewayCluster = EventContext['cluster'] &
  PodCluster & {
    readonly statuses: Pick<StatusWriter, 'apply' | 'merge' | 'undone'>;
    podsOf: (key: ObjectKey) => RelayPod[];
  };

/** What a reconcile works with. */
export type GatewayContext = {
  readonly stores: GatewayStores;
  readonly cluster: GatewayCluster;
  readonly poller: PodPoller;
  readonly pacer: Pacer;
  readonly platform: Platform;
  readonly now: () => Date;
  readonly log: Logger;
  /** How many reconciles of this object failed in a row before this one. */
  readonly failures: number;
  /** Called if a status could not be written, for a metric. */
  readonly onStatusFailure: () => void;
};

/**
 * Makes the cluster match the Gateway that is queued by `key`. Idempotent, as the reconcile of a RealmRelay.
 *
 * @throws what ended it, for the controller to retry with backoff, once the status reports it.
 */
export async function reconcileGateway(key: ObjectKey, context: GatewayContext): Promise<Action> {
  const { stores, poller, pacer } = context;
  const gateway = stores.gateways.get(key.slice('gateway/'.length) as ObjectKey);
  const gatewayClass = gateway && stores.classOf(gateway);
  const isGoing = gateway?.metadata.deletionTimestamp !== undefined;
  if (gateway !== undefined && gatewayClass !== undefined && !isGoing && isOwnClass(gatewayClass))
    return serve(key, gateway, gatewayClass, context);
  poller.forget(key);
  pacer.forget(key);
  // Without its class, nobody else serves it either: its Pods stay, since a class may be deleted by mistake.
  return gateway === undefined || gatewayClass === undefined || isOwnClass(gatewayClass)
    ? awaitChange
    : leaveToAnother(gateway, context);
}

async function serve(
  key: ObjectKey,
  gateway: GatewayObject,
  gatewayClass: GatewayClass,
  context: GatewayContext,
): Promise<Action> {
  const { stores, pacer, platform, failures } = context;
  const { namespace, name } = gateway.metadata;
  const routes = stores.routesOf(`${namespace}/${name}`);
  const decision = gatewayDecision(gateway, gatewayClass, routes, stores.lookup);
  const relay = decision.relay && onPlatform(decision.relay, platform);
  const waitMs = relay === undefined ? 0 : pacer.waitMs(key, configHash(relay));
  if (waitMs > 0) return requeueAfter(waitMs);
  const result = await act(key, { gateway, relay, isRefused: decision.isRefused }, context);
  const mayPass = result.error !== undefined && isPassing(result.error) && failures === 0;
  const reported = mayPass ? {} : await report(key, { gateway, decision, verdict: result.verdict }, context);
  return actionAfter({ ...reported, ...result }, failures);
}

const nothing: Verdict = {
  kind: 'rejected',
  reason: 'Invalid',
  message: 'Nothing new runs for this Gateway.',
};

type Served = {
  readonly gateway: GatewayObject;
  readonly relay: Relay | undefined;
  readonly isRefused: boolean;
};

/** Does what is to be done. Never rejects, so that whatever happens reaches the one place where the status is written. */
async function act(key: ObjectKey, served: Served, context: GatewayContext): Promise<ApplyResult> {
  const { gateway, relay } = served;
  const result = served.isRefused ? { verdict: nothing } : await apply(gateway, relay, context);
  const done = configured(result.verdict);
  if (done !== undefined) context.pacer.written(key, configHash(done));
  try {
    const followed = {
      ...podsOf(key, gateway, result.verdict, context),
      ...endpointsToFollow(done ?? relay),
      strategy: done?.updateStrategy,
      previous: {},
    };
    return { ...(await followPods(followed, context)), ...result };
  } catch (error) {
    return withError(result, error);
  }
}

/** The endpoints of `relay`, and whether their certificates are to be watched, which Pods alone read. */
function endpointsToFollow(relay: Relay | undefined): { endpoints: string[]; isWatched: boolean } {
  const { endpoints = [] } = relay ?? {};
  return { endpoints: endpoints.map(({ name }) => name), isWatched: neededSecrets(endpoints).length > 0 };
}

/** Applies what `gateway` needs, or deletes what it has if it needs nothing. Never rejects. */
function apply(
  gateway: GatewayObject,
  relay: Relay | undefined,
  context: GatewayContext,
): Promise<ApplyResult> {
  const { conditions = [] } = gateway.status ?? {};
  // The API server gives each Gateway conditions that no controller has set yet.
  const subject = { object: gateway, conditions: conditions.filter(({ reason }) => reason !== 'Pending') };
  return withEvents(subject, context, async (applying) => {
    if (relay !== undefined)
      return programRelay(relay, { kind: 'programmed', relay, warnings: '' }, applying);
    try {
      await deleteObjects(context.cluster.ownedBy(asOwner(gateway)), applying);
      return { verdict: nothing };
    } catch (error) {
      return failed(error, undefined);
    }
  });
}

/** Deletes what was made for `gateway` while its class named this controller; its status is of the other one. */
async function leaveToAnother(gateway: GatewayObject, context: GatewayContext): Promise<Action> {
  const result = await apply(gateway, undefined, context);
  if (result.error !== undefined) throw result.error;
  return awaitChange;
}

function podsOf(
  key: ObjectKey,
  gateway: GatewayObject,
  verdict: Verdict,
  { cluster }: GatewayContext,
): { key: ObjectKey; pods: RelayPod[]; hash: string | undefined; namespace: string } {
  const { namespace } = gateway.metadata;
  const relay = configured(verdict);
  return {
    key,
    pods: cluster.podsOf(`${namespace}/${relayName(gateway)}`).filter(isLive),
    hash: relay === undefined ? observedHash(cluster.ownedBy(asOwner(gateway))) : configHash(relay),
    namespace,
  };
}

type Reported = {
  readonly gateway: GatewayObject;
  readonly decision: GatewayDecision;
  readonly verdict: Verdict;
};

/** Writes the status if it differs. Returns why and when to try again, if it could not. */
async function report(
  key: ObjectKey,
  { gateway, decision, verdict }: Reported,
  context: GatewayContext,
): Promise<Omit<ApplyResult, 'verdict'>> {
  const { cluster, stores, now } = context;
  const owned = cluster.ownedBy(asOwner(gateway));
  const running = await currentPods(podsOf(key, gateway, verdict, context), owned, context);
  const outcome = gatewayOutcome({ gateway, verdict, owned, running });
  const status = gatewayStatus(gateway, decision, outcome, conditionTime(now()));
  if (hasGatewayStatus(gateway, status)) return {};
  const target = { resource: gatewayResource, store: stores.gateways };
  return writeStatus(gateway, status, context, () => cluster.statuses.apply(target, gateway, status));
}

/** Writes `status` of `object` by `write`, unless others undo it again and again and it is not time yet. Never rejects. */
export async function writeStatus(
  object: KubeObject,
  status: object,
  { cluster, log, onStatusFailure }: GatewayContext,
  write: () => Promise<void>,
): Promise<Omit<ApplyResult, 'verdict'>> {
  const contest = cluster.statuses.undone(object, status);
  if (contest?.isNews === true) log.warn({ waitMs: contest.waitMs }, 'status is undone again and again');
  if (contest !== undefined && contest.waitMs > 0) return { againMs: contest.waitMs };
  try {
    await write();
    return {};
  } catch (thrown) {
    const error = asError(thrown);
    if (isKubeError(error, 409)) return { error }; // it changed: the next reconcile sees that
    log.warn({ err: error }, 'failed to write the status, retrying');
    onStatusFailure();
    return { error };
  }
}
