import type { Outcome } from '../controller/controller.ts';
import type { QueueGauges, WorkQueueObserver } from '../controller/work-queue.ts';
import { Counter, Histogram, register, type Registry } from '../telemetry/metrics.ts';

// The metrics that every operator on controller-runtime has, under the same names and with the same meaning, so that
// dashboards and alerts for those serve this one, too.

/** The labels by which controller-runtime tells its controllers apart; this operator has one. */
const controller = 'realmrelay';
const labels = { controller };
const queueLabels = { name: controller, controller };

/** In the words of controller-runtime; someone else's change that was met is tried again, as it calls `requeue`. */
const results = {
  awaitChange: 'success',
  requeueAfter: 'requeue_after',
  resyncAfter: 'requeue_after',
  conflict: 'requeue',
  error: 'error',
} as const satisfies Record<Outcome, string>;

/** What is asked at each scrape. */
export type ControllerGauges = {
  readonly queue: () => QueueGauges;
  /** How many keys are worked on at a time, at most. */
  readonly workers: number;
};

/** What the controller counts. */
export type ControllerMetrics = {
  /** A turn of the controller ended. */
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
    help: 'Reconciles that ended, by result: success, requeue_after, requeue (met a change of someone else), error.',
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
    help: 'How long a reconcile took, in seconds.',
    labelNames: ['controller'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
    registers,
  });
  const gauge = gaugesOf(registry, labels);
  gauge('controller_runtime_active_workers', 'Reconciles under way.', () => queue().processingSeconds.length);
  gauge('controller_runtime_max_concurrent_reconciles', 'Reconciles at a time, at most.', () => workers);
  for (const result of new Set(Object.values(results))) turns.inc({ ...labels, result }, 0); // so that a rate is there before the first
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
    help: 'Keys that came to wait for a reconcile.',
    ...common,
  });
  const retried = new Counter({
    name: 'workqueue_retries_total',
    help: 'Reconciles that are to be tried again after a wait.',
    ...common,
  });
  const waited = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long a key waited for its reconcile, in seconds.',
    buckets,
    ...common,
  });
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long a key was worked on, in seconds.',
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
  gauge('workqueue_depth', 'Keys that wait for a reconcile.', () => queue().depth);
  gauge(
    'workqueue_unfinished_work_seconds',
    'For how long the keys that are worked on have been, in seconds, summed up: it grows where something is stuck.',
    () => running().reduce((sum, seconds) => sum + seconds, 0),
  );
  gauge(
    'workqueue_longest_running_processor_seconds',
    'For how long the key that is worked on for longest has been, in seconds.',
    () => Math.max(0, ...running()),
  );
}

/** Registers gauges of one value, under these labels. */
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
