import { operatorMetrics } from '../src/operator/metrics.ts';
import { relayRegistry } from '../src/relay/admin/metrics.ts';
import { connectionBounds, dialBounds } from '../src/relay/stats/histogram.ts';
import { Counter, createRegistry, Histogram, type Registry } from '../src/telemetry/metrics.ts';

/** The description of a metric, without its values. */
export type Metric = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
};

/** Every metric of the relay program, including those of its process. */
export function relayMetricsList(): Metric[] {
  return metricsOf(
    relayRegistry(() => {
      throw new Error('only asked at a scrape');
    }),
  );
}

/** Every metric of the operator, including those of its process. */
export function operatorMetricsList(): Metric[] {
  const registry = createRegistry();
  const queue = { depth: 0, processingSeconds: [] };
  operatorMetrics(registry, {
    queue: () => queue,
    workers: 1,
    isLeading: () => true,
    watchProblems: () => [],
    relaysOfOthers: () => new Map(),
    relays: () => [],
    logLinesDropped: () => 0,
  });
  return metricsOf(registry);
}

/** The text of docs/metrics.md. */
export function metricsReference(): string {
  const [relay, operator] = [relayMetricsList(), operatorMetricsList()];
  const isOfProcess = ({ name }: Metric): boolean => name.startsWith('process_');
  const own = (metrics: readonly Metric[]): Metric[] => metrics.filter((metric) => !isOfProcess(metric));
  return [
    '# Metrics',
    '',
    '<!-- Generated from the code by `make generate`; do not edit. -->',
    '',
    'Both programs serve `/metrics` in the text format of Prometheus. Counters start at 0 with the process; those of an',
    'endpoint or a remote disappear when it is removed from the configuration.',
    '',
    'The configuration bounds the number of series: `endpoint` and `remote` are names from it, and every other label has a few',
    'fixed values. No label contains a client, a Pod, an address or a name that comes from outside.',
    '',
    '## The relay program',
    '',
    'At `/metrics` of its [admin server](relay.md#the-admin-server). `remote` is the address as it is configured.',
    '',
    ...table(own(relay)),
    '',
    '## The operator',
    '',
    'Metrics of controller and queue have the names and the meaning of controller-runtime, those of requests to the API server',
    'of client-go, so that dashboards and alerts for such operators also work for this one. Their labels `controller` and',
    '`name` are always `realmrelay`. Metrics that only this operator has begin with `realm_operator_`.',
    '',
    ...table(own(operator)),
    '',
    ...aboutScraping,
    '## The process, in both programs',
    '',
    ...table(relay.filter(isOfProcess)),
    '',
  ].join('\n');
}

/** What is to be known beside the list. */
const aboutScraping: readonly string[] = [
  '## In Prometheus and Grafana',
  '',
  'The [chart](../charts/realm-operator/README.md#monitoring) has a ServiceMonitor for the operator, a PodMonitor for relays, alerts with',
  '[runbooks](runbooks.md), and two dashboards. Without the chart: scrape port 9465 of the Pods with the label',
  '`app.kubernetes.io/name: realm-relay` at `/metrics`, with the labels `namespace` and `pod`.',
  '',
  '## Histograms',
  '',
  'Those of a relay are counted for each endpoint into arrays of fixed length: a connection costs two values, each some',
  'comparisons and no memory ([performance](performance.md)). Buckets of `realm_relay_dial_seconds` end at',
  `${bucketsText(dialBounds)} seconds, those of \`realm_relay_connection_seconds\` at ${bucketsText(connectionBounds)} seconds.`,
  '',
  '## OpenTelemetry',
  '',
  'There is none. A relay copies bytes and knows no requests, so a trace would have one span for each connection, with what its log',
  'line has already; and prom-client’s own OpenTelemetry part alone takes 14 MiB of memory in each relay when it is off. An',
  'OpenTelemetry Collector scrapes `/metrics` with its Prometheus receiver, and reads the log, which is JSON.',
  '',
];

function bucketsText(bounds: readonly number[]): string {
  return bounds.map((bound) => bound.toLocaleString('en')).join(', ');
}

function table(metrics: readonly Metric[]): string[] {
  const rows = metrics
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(' '), help]);
  return [['metric', 'type', 'labels', 'meaning'], ['---', '---', '---', '---'], ...rows].map(
    (cells) => `| ${cells.join(' | ')} |`,
  );
}

function code(text: string): string {
  return `\`${text}\``;
}

/** Fields that the types of prom-client do not declare. */
type Registered = { readonly name: string; readonly help: string; readonly labelNames: readonly string[] };

function metricsOf(registry: Registry): Metric[] {
  return registry.getMetricsAsArray().map((metric) => {
    const { name, help, labelNames } = metric as unknown as Registered;
    return { name, type: typeOf(metric), labels: labelNames, help };
  });
}

function typeOf(metric: unknown): Metric['type'] {
  if (metric instanceof Counter) return 'counter';
  return metric instanceof Histogram ? 'histogram' : 'gauge';
}
