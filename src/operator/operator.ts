import { Controller } from '../controller/controller.ts';
import { WorkQueue } from '../controller/work-queue.ts';
import { manager } from '../desired/object-meta.ts';
import type { Platform } from '../desired/platform.ts';
import { Events } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeConfigLoader } from '../kube/kube-config.ts';
import { isKubeError } from '../kube/kube-error.ts';
import type { KubeObject, ObjectKey } from '../kube/object.ts';
import { Lease, type LeaseTerms } from '../kube/lease.ts';
import type { Resource } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import { KubeClient } from '../kube/client.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Registry } from '../telemetry/metrics.ts';
import { Cluster } from './cluster.ts';
import { operatorMetrics, type OperatorMetrics } from './metrics.ts';
import { relayResource } from './kinds.ts';
import { podResource, podSelector, strippedPod } from './pods.ts';
import { reconcile } from './reconcile.ts';
import { type FetchRelayReport, fetchRelayReport } from './relay-client.ts';
import { RelayPoller } from './relay-poller.ts';

const backoff = { initialMs: 1_000, maxMs: 300_000 };
const workers = 4;
/** How many more reconciles may run while others wait for the API server or an admission webhook. */
const spareWorkers = 28;
/** How long an API server that does not answer may delay shutdown. */
const stopMs = 10_000;
const managedSelector = `app.kubernetes.io/managed-by=${manager}`;

/** What the operator runs with. */
export type OperatorOptions = {
  readonly kubeConfig: KubeConfigLoader;
  readonly platform: Platform;
  /** The namespaces that it watches; all if empty. */
  readonly namespaces: readonly string[];
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
  /** Whether every informer has synced once. */
  readonly isReady: () => boolean;
  /** Resolves when the operator is ready for the first time. */
  readonly ready: Promise<void>;
  /** Resolves if the lease was lost, so that the operator may not write any more: stop it, and start a new one. */
  readonly lost: Promise<undefined>;
  /** Stops the operator. Reconciles under way may end, for at most 10 s. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts the operator: it watches RealmRelays and what they own, and once all stores are synced, reconciles every relay that
 * changes. It waits for an API server that cannot be reached.
 *
 * @throws what `kubeConfig` throws.
 */
export function startOperator(options: OperatorOptions): Operator {
  const { kubeConfig, clock, log, instance, registry } = options;
  const metrics = operatorMetrics(registry, {
    queue: () => queue,
    workers: workers + spareWorkers,
    isLeading: () => election?.lease.holds() ?? true,
    relays: () => cluster.relays.all(),
    logLinesDropped: options.logLinesDropped ?? (() => 0),
  });
  const election = startElection(options, metrics);
  const client = new KubeClient(kubeConfig, clock, election?.lease, metrics.apiResponded);
  const events = new Events({ client, clock, log, instance });
  const cluster = new Cluster(client, events, log);
  const queue = new WorkQueue<ObjectKey>({ clock, backoff, observer: metrics.queue });
  const poller = new RelayPoller({
    fetch: options.fetchRelayReport ?? fetchRelayReport,
    clock,
    log,
    onChange: (key) => {
      queue.add(key);
    },
    onPolled: metrics.relayPolled,
  });
  const controller = relayController(options, { cluster, queue, metrics, poller });
  cluster.subscribe((key) => {
    // Relays of the initial list are most likely as the previous operator left them: changes go before them.
    queue.add(key, controller.isStarted ? 'news' : 'background');
  });
  const informers = clusterInformers(options, { cluster, client, metrics });
  for (const informer of informers) informer.start();
  const ready = Promise.all(informers.map(({ synced }) => synced)).then(() => {
    log.info({ objects: cluster.relays.size }, 'operator ready');
  });
  void Promise.all([ready, election?.lease.acquired]).then(() => {
    controller.start();
  });
  return {
    isReady: () => informers.every(({ isSynced }) => isSynced),
    ready,
    lost: election?.lease.lost ?? new Promise(() => undefined),
    stop: async () => {
      await Promise.all(informers.map((informer) => informer.stop()));
      const cancel = clock.after(stopMs, () => void client.close());
      await Promise.all([controller.stop(), poller.stop()]);
      await events.flush();
      cancel();
      await client.close();
      await election?.release();
    },
  };
}

type Election = { readonly lease: Lease; readonly release: () => Promise<void> };

function startElection(
  { lease: choice, kubeConfig, clock, log }: OperatorOptions,
  { apiResponded }: OperatorMetrics,
): Election | undefined {
  if (choice === undefined) return undefined;
  const client = new KubeClient(kubeConfig, clock, undefined, apiResponded);
  const lease = new Lease({ client, clock, log, ...choice });
  lease.start();
  return {
    lease,
    release: async () => {
      await lease.release();
      await client.close();
    },
  };
}

type Watched = {
  readonly resource: Resource;
  readonly store: Store<KubeObject>;
  readonly labelSelector?: string;
  readonly strip?: (object: KubeObject) => KubeObject;
};

type Parts = { readonly cluster: Cluster; readonly metrics: OperatorMetrics };

function relayController(
  { platform, clock, log }: OperatorOptions,
  {
    cluster,
    queue,
    metrics,
    poller,
  }: Parts & { readonly queue: WorkQueue<ObjectKey>; readonly poller: RelayPoller },
): Controller<ObjectKey> {
  return new Controller({
    reconcile: (key, turn) => reconcile(key, { cluster, poller, platform, now: clock.now, log: turn.log }),
    queue,
    workers,
    spareWorkers,
    log,
    clock,
    isConflict: (error) => isKubeError(error, 409),
    onTurn: metrics.turn,
  });
}

function clusterInformers(
  { namespaces, clock, log }: OperatorOptions,
  { cluster, client, metrics }: Parts & { readonly client: KubeClient },
): Informer<KubeObject>[] {
  const scopes = namespaces.length === 0 ? [{}] : namespaces.map((namespace) => ({ namespace }));
  const watched: Watched[] = [
    { resource: relayResource, store: cluster.relays },
    { resource: podResource, store: cluster.pods, labelSelector: podSelector, strip: strippedPod },
    ...cluster.owned.map((kind) => ({ ...kind, labelSelector: managedSelector })),
  ];
  return watched.flatMap((watch) =>
    scopes.map((scope) => {
      const onFailure = (): void => {
        metrics.watchFailed(watch.resource.kind);
      };
      return new Informer({ client, clock, log, onFailure, ...watch, ...scope });
    }),
  );
}
