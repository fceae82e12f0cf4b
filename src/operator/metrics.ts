import type { PackedObject } from '../kube/packed-object.ts';
import { memoize } from '../lib/memoize.ts';
import { buildInfo, Counter, register, type Registry, type Sample } from '../telemetry/metrics.ts';
import { controllerMetrics, type ControllerGauges, type ControllerMetrics } from './controller-metrics.ts';
import type { RelayObject } from './kinds.ts';
import type { WatchProblem } from './watches.ts';

/** What the operator counts. */
export type OperatorMetrics = ControllerMetrics & {
  /** A relay Pod was polled for its status. */
  readonly relayPolled: (outcome: 'answered' | 'failed') => void;
  /** A status could not be written. */
  readonly statusFailed: () => void;
  /** A watch of `kind` failed. */
  readonly watchFailed: (kind: string) => void;
  /** A request to the API server ended with the status `code`, or with `<error>` if there was no response. */
  readonly apiResponded: (method: string, code: string) => void;
};

/** What is read at each scrape. */
export type OperatorGauges = ControllerGauges & {
  /** Whether it writes, rather than standing by. */
  readonly isLeading: () => boolean;
  /** Every RealmRelay that the operator knows. */
  readonly relays: () => Iterable<PackedObject<RelayObject>>;
  /** The watches that do not work. */
  readonly watchProblems: () => readonly WatchProblem[];
  /** How many RealmRelays other installations serve, by the name of the installation. */
  readonly relaysOfOthers: () => ReadonlyMap<string, number>;
  /** Lines that it dropped from its log so far. */
  readonly logLinesDropped: () => number;
};

/**
 * Registers the operator's metrics.
 *
 * @param gauges  what is read at each scrape.
 */
export function operatorMetrics(registry: Registry, gauges: OperatorGauges): OperatorMetrics {
  const failures = counter(
    registry,
    'realm_operator_watch_failures_total',
    'Watches that failed and were retried, by kind.',
    ['kind'],
  );
  const polls = counter(
    registry,
    'realm_operator_relay_requests_total',
    'Requests to relay Pods for their status, by outcome.',
    ['outcome'],
  );
  const requests = counter(
    registry,
    'rest_client_requests_total',
    'Requests to the API server, by method and status code; `<error>` if there was no response.',
    ['code', 'method'],
  );
  const statusFailures = counter(
    registry,
    'realm_operator_status_write_failures_total',
    'Statuses that could not be written and were retried, other than for a change of someone else.',
    [],
  );
  statusFailures.inc({}, 0);
  registerGauges(registry, gauges);
  for (const outcome of ['answered', 'failed']) polls.inc({ outcome }, 0); // so that rates exist before the first
  return {
    ...controllerMetrics(registry, gauges),
    relayPolled: (outcome) => {
      polls.inc({ outcome });
    },
    statusFailed: () => {
      statusFailures.inc({});
    },
    watchFailed: (kind) => {
      failures.inc({ kind });
    },
    apiResponded: (method, code) => {
      requests.inc({ method, code });
    },
  };
}

function counter(registry: Registry, name: string, help: string, labelNames: string[]): Counter {
  return new Counter({ name, help, labelNames, registers: [registry] });
}

function registerGauges(
  registry: Registry,
  { isLeading, relays, watchProblems, relaysOfOthers, logLinesDropped }: OperatorGauges,
): void {
  register(registry, buildInfo('realm_operator_build_info'));
  register(registry, {
    name: 'realm_operator_leading',
    help: '1 while this operator is the leader, 0 while it stands by.',
    type: 'gauge',
    labels: [],
    read: () => [{ labels: {}, value: Number(isLeading()) }],
  });
  register(registry, {
    name: 'realm_operator_log_lines_dropped_total',
    help: 'Log lines dropped because the log was full, failed, or was not read.',
    type: 'counter',
    labels: [],
    read: () => [{ labels: {}, value: logLinesDropped() }],
  });
  register(registry, {
    name: 'realm_operator_relays',
    help: 'RealmRelays by condition and its status; `Unknown` if they do not have the condition yet.',
    type: 'gauge',
    labels: ['condition', 'status'],
    read: () => relaysByCondition(relays()),
  });
  register(registry, {
    name: 'realm_operator_relays_of_others',
    help: 'RealmRelays that another installation of the operator serves, so that this one does not; no sample if there are none.',
    type: 'gauge',
    labels: ['installation'],
    read: () =>
      [...relaysOfOthers()].map(([installation, count]) => ({ labels: { installation }, value: count })),
  });
  register(registry, {
    name: 'realm_operator_watches_down',
    help: '1 for each watch that the API server refuses or does not answer; without a namespace, that of all namespaces.',
    type: 'gauge',
    labels: ['kind', 'namespace'],
    read: () =>
      watchProblems().map(({ kind, namespace = '' }) => ({ labels: { kind, namespace }, value: 1 })),
  });
}

const conditionTypes = ['Accepted', 'Programmed', 'Ready', 'Stalled'];
const conditionStatuses = ['True', 'False', 'Unknown'];

function relaysByCondition(relays: Iterable<PackedObject<RelayObject>>): Sample[] {
  const counts = new Map<string, number>(); // by the statuses of all conditions: few combinations occur
  for (const relay of relays) {
    const statuses = statusesOf(relay);
    counts.set(statuses, (counts.get(statuses) ?? 0) + 1);
  }
  return conditionTypes.flatMap((condition, index) =>
    conditionStatuses.map((status) => ({
      labels: { condition, status },
      value: [...counts].reduce(
        (sum, [statuses, count]) => (statuses.split(' ')[index] === status ? sum + count : sum),
        0,
      ),
    })),
  );
}

/** The status of each condition in turn. Memoized, since most relays have not changed at the next scrape. */
const statusesOf = memoize((relay: PackedObject<RelayObject>): string => {
  const { conditions = [] } = relay.object().status ?? {};
  return conditionTypes
    .map((condition) => conditions.find(({ type }) => type === condition)?.status ?? missing(condition))
    .join(' ');
});

/** Stalled is present only while it is true. */
function missing(condition: string): string {
  return condition === 'Stalled' ? 'False' : 'Unknown';
}
