import type { Outcome } from '../controller/controller.ts';
import type { QueueGauges, WorkQueueObserver } from '../controller/work-queue.ts';
import { Counter, Histogram, register, type Registry } from '../telemetry/metrics.ts';

// The metrics of controller-runtime, under the same names and with the same meaning, so that dashboards and alerts for
// operators built on it work for this one, too.

/** The labels by which controller-runtime distinguishes controllers; this operator has one. */
const controller = 'realmrelay';
const labels = { controller };
const queueLabels = { name: controller, controller };

/** The results of controller-runtime; a conflict with someone else's change is retried, which it calls `requeue`. */
const results = {
  awaitChange: 'success',
  requeueAfter: 'requeue_after',
  resyncAfter: 'requeue_after',
  retryAfter: 'requeue_after',
  conflict: 'requeue',
  error: 'error',
} as const satisfies Record<Outcome, string>;

/** What is read at each scrape. */
export type ControllerGauges = {
  readonly queue: () => QueueGauges;
  /** The maximum number of concurrent reconciles. */
  readonly workers: number;
};

/** What the controller counts. */
export type ControllerMetrics = {
  /** A reconcile ended. */
  readonly turn: (outcome: Outcome, seconds: number) => void;
  readonly queue: WorkQueueObserver;
};

/** Registers the metrics of controller and queue. */
export function controllerMetrics(registry: Registry, gauges: ControllerGauges): ControllerMetrics {
  registerQueueGauges(registry, gauges);
  return { turn: turnMetrics(registry, gauges), queue: queueMetrics(registry) };
}

function turnMetrics(registry: Registry, { queue, workers }: ControllerGauges): ControllerMetrics['turn'] {
  const registers = [registry];
  const turns = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result: success, requeue_after, requeue (conflict with a change of someone else), error.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed.',
    labelNames: ['controller'],
    registers,
  });
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of reconciles, in seconds.',
    labelNames: ['controller'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
    registers,
  });
  const gauge = gaugesOf(registry, labels);
  gauge(
    'controller_runtime_active_workers',
    'Reconciles in progress.',
    () => queue().processingSeconds.length,
  );
  gauge(
    'controller_runtime_max_concurrent_reconciles',
    'Maximum number of concurrent reconciles.',
    () => workers,
  );
  for (const result of new Set(Object.values(results))) turns.inc({ ...labels, result }, 0); // so that rates exist before the first
  errors.inc(labels, 0);
  return (outcome, took) => {
    turns.inc({ ...labels, result: results[outcome] });
    if (outcome === 'error') errors.inc(labels);
    seconds.observe(labels, took);
  };
}

function queueMetrics(registry: Registry): WorkQueueObserver {
  const common = { labelNames: ['name', 'controller'], registers: [registry] };
  const buckets = [0.0001, 0.001, 0.01, 0.1, 1, 10, 60];
  const added = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys added to the queue.',
    ...common,
  });
  const retried = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys added again after a failed reconcile.',
    ...common,
  });
  const waited = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long keys waited in the queue, in seconds.',
    buckets,
    ...common,
  });
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long keys were processed, in seconds.',
    buckets,
    ...common,
  });
  for (const counter of [added, retried]) counter.inc(queueLabels, 0);
  return {
    added: () => {
      added.inc(queueLabels);
    },
    retried: () => {
      retried.inc(queueLabels);
    },
    taken: (seconds) => {
      waited.observe(queueLabels, seconds);
    },
    done: (seconds) => {
      worked.observe(queueLabels, seconds);
    },
  };
}

function registerQueueGauges(registry: Registry, { queue }: ControllerGauges): void {
  const gauge = gaugesOf(registry, queueLabels);
  const running = (): readonly number[] => queue().processingSeconds;
  gauge('workqueue_depth', 'Keys waiting in the queue.', () => queue().depth);
  gauge(
    'workqueue_unfinished_work_seconds',
    'Total time that unfinished reconciles have taken so far, in seconds; grows while something is stuck.',
    () => running().reduce((sum, seconds) => sum + seconds, 0),
  );
  gauge(
    'workqueue_longest_running_processor_seconds',
    'Time that the longest unfinished reconcile has taken so far, in seconds.',
    () => Math.max(0, ...running()),
  );
}

/** A function that registers a gauge with one value under these labels. */
function gaugesOf(registry: Registry, under: Readonly<Record<string, string>>) {
  return (name: string, help: string, value: () => number): void => {
    register(registry, {
      name,
      help,
      type: 'gauge',
      labels: Object.keys(under),
      read: () => [{ labels: under, value: value() }],
    });
  };
}
