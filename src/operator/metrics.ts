import { type Outcome, outcomes } from '../controller/controller.ts';
import { buildInfo, Counter, Histogram, register, type Registry } from '../telemetry/metrics.ts';

/** What the operator counts. */
export type OperatorMetrics = {
  /** A turn of the controller ended. */
  turn: (outcome: Outcome, seconds: number) => void;
  /** A relay was asked for its status. */
  relayAsked: (outcome: 'answered' | 'failed') => void;
  /** A watch of `kind` failed. */
  watchFailed: (kind: string) => void;
};

/** What is asked at each scrape. */
export type OperatorGauges = {
  /** How many keys wait. */
  readonly depth: () => number;
  /** Whether it writes, or stands by. */
  readonly isLeading: () => boolean;
};

/**
 * Registers the operator's metrics.
 *
 * @param gauges  what is asked at each scrape.
 */
export function operatorMetrics(registry: Registry, gauges: OperatorGauges): OperatorMetrics {
  const registers = [registry];
  const turns = new Counter({
    name: 'realm_operator_reconciles_total',
    help: 'Reconciles that ended, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'realm_operator_reconcile_seconds',
    help: 'How long a reconcile took, in seconds.',
    buckets: [0.001, 0.01, 0.1, 1, 10],
    registers,
  });
  const failures = new Counter({
    name: 'realm_operator_watch_failures_total',
    help: 'Watches that failed and were begun again, by kind.',
    labelNames: ['kind'],
    registers,
  });
  const questions = new Counter({
    name: 'realm_operator_relay_requests_total',
    help: 'Requests to relay Pods for their status, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  registerGauges(registry, gauges);
  for (const outcome of outcomes) turns.inc({ outcome }, 0); // so that a rate is there before the first
  for (const outcome of ['answered', 'failed']) questions.inc({ outcome }, 0);
  return {
    relayAsked: (outcome) => {
      questions.inc({ outcome });
    },
    turn: (outcome, took) => {
      turns.inc({ outcome });
      seconds.observe(took);
    },
    watchFailed: (kind) => {
      failures.inc({ kind });
    },
  };
}

function registerGauges(registry: Registry, gauges: OperatorGauges): void {
  register(registry, buildInfo('realm_operator_build_info'));
  register(registry, {
    name: 'realm_operator_queue_depth',
    help: 'RealmRelays that wait for a reconcile.',
    type: 'gauge',
    labels: [],
    read: () => [{ labels: {}, value: gauges.depth() }],
  });
  register(registry, {
    name: 'realm_operator_leading',
    help: '1 where this operator works, 0 where it stands by for another.',
    type: 'gauge',
    labels: [],
    read: () => [{ labels: {}, value: Number(gauges.isLeading()) }],
  });
}
