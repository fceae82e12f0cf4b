import { Controller } from '../controller/controller.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import { manager } from '../desired/object-meta.ts';
import type { Platform } from '../desired/platform.ts';
import { Events } from '../kube/events.ts';
import type { KubeConfigLoader } from '../kube/kube-config.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { KubeObject, ObjectKey } from '../kube/object.ts';
import type { LeaseTerms } from '../kube/lease.ts';
import type { PackedObject } from '../kube/packed-object.ts';
import type { Resource } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lib/clock.ts';
import { within } from '../lib/within.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Registry } from '../telemetry/metrics.ts';
import { Cluster } from './cluster.ts';
import { closeMs, type Election, startElection } from './election.ts';
import { GatewayFront } from './gateway/front.ts';
import { Installations } from './installations.ts';
import { operatorMetrics, type OperatorMetrics } from './metrics.ts';
import { type RelayObject, relayResource, serviceResource } from './kinds.ts';
import { type OwnPod, platformReader } from './own-image.ts';
import { podResource, podSelector, strippedPod } from './pods.ts';
import { reconcile } from './reconcile.ts';
import { type FetchRelayReport, fetchRelayReport } from './relay-client.ts';
import { RelayPoller } from './relay-poller.ts';
import { Watches, type WatchProblem } from './watches.ts';

const backoff = { initialMs: 1_000, maxMs: 300_000 };
const workers = 4;
/** How many more reconciles may run while others wait for the API server or an admission webhook. */
const spareWorkers = 28;
/**
 * How long an API server that does not answer may delay the end, until reconciles and events under way are abandoned. With the
 * closing of connections and the release of the lease, that is less than the 30 s of a Pod, by far.
 */
const stopMs = 10_000;
/** How long the lease of another installation may be, unless this one has a lease of its own. */
const defaultLeaseMs = 15_000;
/** How long the next leader of another installation may take to start and to reconcile, once it may take the lease. */
const startMs = 25_000;
const managedSelector = `app.kubernetes.io/managed-by=${manager}`;

/** What the operator runs with. */
export type OperatorOptions = {
  readonly kubeConfig: KubeConfigLoader;
  readonly platform: Platform;
  /** The Pod that it runs in, if relays get the image of that rather than `platform.relayImage`. */
  readonly ownPod?: OwnPod;
  /** The namespaces that it watches; all if empty. */
  readonly namespaces: readonly string[];
  /** Whether it serves the Gateway API, too, once that is installed. */
  readonly gatewayApi: boolean;
  /** The name of the installation: the same for all its replicas and versions, and of no other in the cluster. */
  readonly installation: string;
  /** The reporting instance in events: the name of the Pod or of the host. */
  readonly instance: string;
  readonly log: Logger;
  /** Lines that it dropped from its log so far; none by default. */
  readonly logLinesDropped?: () => number;
  readonly clock: Clock;
  /** The lease that the leader holds, if several operators may run; without it, this operator is the only one. */
  readonly lease?: LeaseTerms;
  /** How relay Pods are polled; default over HTTP. */
  readonly fetchRelayReport?: FetchRelayReport;
  /** Where its metrics are registered. */
  readonly registry: Registry;
};

/** A running operator. */
export type Operator = {
  /** Whether it knows enough of the cluster to serve RealmRelays. */
  readonly isReady: () => boolean;
  /** The watches that do not work; what needs them is not served, or not completely. */
  readonly watchProblems: () => readonly WatchProblem[];
  /** How many RealmRelays other installations serve, by the name of the installation. */
  readonly relaysOfOthers: () => ReadonlyMap<string, number>;
  /** Whether it is the leader, or the only one. */
  readonly isLeading: () => boolean;
  /** The RealmRelays that it knows. */
  readonly relays: () => Iterable<PackedObject<RelayObject>>;
  /** Resolves when the operator is ready for the first time. */
  readonly ready: Promise<void>;
  /** Resolves if the lease was lost, so that the operator may not write any more: stop it, and start a new one. */
  readonly lost: Promise<undefined>;
  /** Stops the operator: within 15 s, whatever the API server does. Reconciles under way may end, for at most 10 s. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts the operator: it watches RealmRelays and what they own, and once it knows them, reconciles every relay that
 * changes. It waits for an API server that cannot be reached, and goes on without watches that the API server refuses.
 *
 * @throws what `kubeConfig` throws.
 */
export function startOperator(options: OperatorOptions): Operator {
  const { kubeConfig, clock, log, instance, registry } = options;
  const known: Pick<Operator, 'isLeading' | 'relays' | 'watchProblems' | 'relaysOfOthers'> = {
    isLeading: () => election?.lease.holds() ?? true,
    relays: () => cluster.relays.all(),
    watchProblems: () => [...watches.problems, ...(front?.problems ?? [])],
    relaysOfOthers: () => installations.counts(),
  };
  const metrics = operatorMetrics(registry, {
    ...known,
    queue: () => queue,
    workers: workers + spareWorkers,
    logLinesDropped: options.logLinesDropped ?? (() => 0),
  });
  const election = startElection(options, metrics.apiResponded);
  const client = new KubeClient(kubeConfig, clock, election?.lease, metrics.apiResponded);
  const events = new Events({ client, clock, log, instance });
  const cluster = new Cluster(client, events, options);
  const queue = new WorkQueue<ObjectKey>({ clock, backoff, observer: metrics.queue });
  const poller = relayPoller(options, { queue, metrics });
  const stopping = new AbortController();
  const platform = platformReader(options, { client, clock, log, signal: stopping.signal });
  const installations = installationsOf(options, { cluster, queue });
  const front = gatewayFront(options, { client, cluster, queue, metrics, poller, platform });
  const parts = { cluster, queue, metrics, poller, platform, installations, front };
  const controller = operatorController(options, parts);
  cluster.subscribe((key) => {
    // Relays of the initial list are most likely as the previous operator left them: changes go before them.
    queue.add(key, controller.isStarted ? 'news' : 'background');
  });
  const watches = clusterWatches(options, { cluster, client, metrics, queue });
  cluster.watchProblems = known.watchProblems;
  watches.start();
  front?.start();
  const ready = watches.ready.then(() => {
    log.info({ objects: cluster.relays.size }, 'operator ready');
  });
  startAfter([ready, election?.lease.acquired ?? ready], controller);
  return {
    ...known,
    isReady: () => watches.isReady,
    ready,
    lost: election?.lease.lost ?? new Promise(() => undefined),
    stop: () => {
      stopping.abort();
      installations.stop();
      return stop({ clock, watches, front, controller, poller, events, client, election });
    },
  };
}

function startAfter(all: readonly Promise<unknown>[], controller: Controller<ObjectKey>): void {
  void Promise.all(all).then(() => {
    controller.start();
  });
}

type Running = {
  readonly clock: Clock;
  readonly watches: Watches;
  readonly front: GatewayFront | undefined;
  readonly controller: Controller<ObjectKey>;
  readonly poller: RelayPoller;
  readonly events: Events;
  readonly client: KubeClient;
  readonly election: Election | undefined;
};

async function stop({ clock, client, election, ...running }: Running): Promise<void> {
  const { watches, front, controller, poller, events } = running;
  const ended = async (): Promise<void> => {
    await Promise.all([watches.stop(), front?.stop()]);
    await Promise.all([controller.stop(), poller.stop()]);
    await events.flush();
  };
  await within(clock, stopMs, ended());
  await within(clock, closeMs, client.close());
  await election?.release();
}

type Watched = {
  readonly resource: Resource;
  readonly store: Store<KubeObject>;
  readonly labelSelector?: string;
  readonly strip?: (object: KubeObject) => KubeObject;
};

type Parts = {
  readonly cluster: Cluster;
  readonly metrics: OperatorMetrics;
  readonly queue: WorkQueue<ObjectKey>;
};

type RenderParts = { readonly poller: RelayPoller; readonly platform: () => Promise<Platform> };

function gatewayFront(
  { gatewayApi, clock, log, namespaces }: OperatorOptions,
  { metrics, ...parts }: Parts & RenderParts & { readonly client: KubeClient },
): GatewayFront | undefined {
  if (!gatewayApi) return undefined;
  const { watchFailed: onWatchFailure, statusFailed: onStatusFailure } = metrics;
  return new GatewayFront({ ...parts, clock, log, namespaces, onWatchFailure, onStatusFailure });
}

function installationsOf(
  { installation, clock, log, lease }: OperatorOptions,
  { cluster, queue }: Pick<Parts, 'cluster' | 'queue'>,
): Installations {
  return new Installations({
    own: installation,
    patienceMs: (lease?.durationMs ?? defaultLeaseMs) + startMs,
    clock,
    log,
    relays: cluster.relays,
    writeStatus: (object, status) => cluster.writeStatus(object, status),
    recordEvent: (event) => {
      cluster.recordEvent(event);
    },
    requeue: (key) => {
      queue.add(key, 'background');
    },
  });
}

function relayPoller(
  { fetchRelayReport: fetch = fetchRelayReport, clock, log }: OperatorOptions,
  { queue, metrics }: Pick<Parts, 'queue' | 'metrics'>,
): RelayPoller {
  const onChange = (key: ObjectKey): void => {
    queue.add(key);
  };
  return new RelayPoller({ fetch, clock, log, onChange, onPolled: metrics.relayPolled });
}

type ControllerParts = Parts &
  RenderParts & { readonly installations: Installations; readonly front: GatewayFront | undefined };

function operatorController(
  { clock, log }: OperatorOptions,
  { cluster, queue, metrics, poller, platform, installations, front }: ControllerParts,
): Controller<ObjectKey> {
  return new Controller({
    reconcile: async (key, turn) => {
      if (front?.owns(key) === true) return front.reconcile(key, turn);
      return reconcile(key, {
        ...turn,
        cluster,
        poller,
        installations,
        platform: await platform(),
        now: clock.now,
        onStatusFailure: metrics.statusFailed,
      });
    },
    queue,
    workers,
    spareWorkers,
    log,
    clock,
    isConflict: (error) => isKubeError(error, 409),
    onTurn: metrics.turn,
  });
}

function clusterWatches(
  { namespaces, clock, log }: OperatorOptions,
  { cluster, client, metrics, queue }: Parts & { readonly client: KubeClient },
): Watches {
  const scopes = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }));
  const watched: Watched[] = [
    { resource: relayResource, store: cluster.relays },
    { resource: podResource, store: cluster.pods, labelSelector: podSelector, strip: strippedPod },
    ...cluster.owned.map((kind) => ({ ...kind, labelSelector: managedSelector })),
  ];
  const informed = watched.flatMap((watch) =>
    scopes.map((scope) => ({ client, clock, log, ...watch, ...scope })),
  );
  const addAll = (keys: Iterable<ObjectKey>): void => {
    for (const key of keys) queue.add(key, 'background');
  };
  return new Watches(informed, clock, {
    failed: metrics.watchFailed,
    recovered: (kind) => {
      queue.retryNow();
      // The API server may have been restarted, with other families for Services.
      if (kind === serviceResource.kind) void cluster.servicesToUpgrade().then(addAll);
    },
    changed: (namespace) => {
      addAll(cluster.relaysIn(namespace));
    },
  });
}
