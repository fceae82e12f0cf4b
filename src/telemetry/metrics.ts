// eslint-disable-next-line @typescript-eslint/triple-slash-reference -- declares modules, so it cannot be imported
/// <reference path="./prom-client-parts.d.ts" />
import { readdirSync } from 'node:fs';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import { openFilesLimit } from '../lib/open-files.ts';
import { version } from '../lib/version.ts';

export { Counter, Histogram, Registry };

/** One value of a metric, with the labels of its family. */
export type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

/** A metric that is read when it is scraped: nothing is counted twice, and the hot path does not know of it. */
export type MetricFamily = {
  /** E.g. `realm_relay_connections_total`. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly read: () => readonly Sample[];
};

/** A histogram that is read when it is scraped. */
export type HistogramFamily = {
  /** E.g. `realm_relay_dial_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[];
  readonly read: () => readonly HistogramSample[];
};

/** The values of a histogram. */
export type HistogramSample = {
  readonly labels: Readonly<Record<string, string>>;
  /** Values in each bucket alone, the last above every bound. */
  readonly counts: readonly number[];
  readonly sum: number;
};

/** A new registry with the metrics of this process; nothing is registered globally. */
export function createRegistry(): Registry {
  const registry = new Registry();
  for (const family of processFamilies) register(registry, family);
  return registry;
}

/** Adds `family` to `registry`. */
export function register(registry: Registry, { name, help, type, labels, read }: MetricFamily): void {
  const registers = [registry];
  const labelNames = [...labels];
  if (type === 'gauge') {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect: () => {
        gauge.reset();
        for (const sample of read()) gauge.set(sample.labels, sample.value);
      },
    });
    return;
  }
  const counter: Counter = new Counter({
    name,
    help,
    labelNames,
    registers,
    collect: () => {
      counter.reset();
      for (const sample of read()) counter.inc(sample.labels, sample.value);
    },
  });
}

/** Adds `family` to `registry`. */
export function registerHistogram(registry: Registry, family: HistogramFamily): void {
  registry.registerMetric(new ReadHistogram(family));
}

/** A histogram of prom-client that does not observe values, but reads the counts of others. */
class ReadHistogram extends Histogram {
  readonly #family: HistogramFamily;

  constructor(family: HistogramFamily) {
    const { name, help, labels, bounds } = family;
    super({ name, help, labelNames: [...labels], buckets: [...bounds], registers: [] });
    this.#family = family;
  }

  /** What prom-client calls for every format. */
  getForPromString(): Promise<object> {
    const { name, help, bounds, read } = this.#family;
    const values = read().flatMap((sample) => histogramValues(name, bounds, sample));
    return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' });
  }
}

type HistogramValue = Awaited<ReturnType<Histogram['get']>>['values'][number];

/** Cumulative buckets, sum and count, as the text format of Prometheus has them. */
function histogramValues(
  name: string,
  bounds: readonly number[],
  { labels, counts, sum }: HistogramSample,
): HistogramValue[] {
  let total = 0;
  const buckets = [...bounds, '+Inf'].map((le, index) => {
    total += counts[index] ?? 0;
    return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}

/** The usual build metric: always 1, with the versions in its labels. */
export function buildInfo(name: string): MetricFamily {
  const labels = { version, node_version: process.version.slice(1) };
  return {
    name,
    help: 'Always 1, with the versions of the program and of Node.js as labels.',
    type: 'gauge',
    labels: Object.keys(labels),
    read: () => [{ labels, value: 1 }],
  };
}

/** Metrics of the process, under the names that Prometheus client libraries use. */
const processFamilies: readonly MetricFamily[] = [
  {
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent, in seconds.',
    type: 'counter',
    labels: [],
    read: () => {
      const { user, system } = process.cpuUsage();
      return single((user + system) / 1e6);
    },
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory, in bytes.',
    type: 'gauge',
    labels: [],
    read: () => single(process.memoryUsage.rss()),
  },
  {
    name: 'process_start_time_seconds',
    help: 'Start time of the process, in seconds since the Unix epoch.',
    type: 'gauge',
    labels: [],
    read: () => single(performance.timeOrigin / 1000),
  },
  {
    name: 'process_open_fds',
    help: 'Number of open file descriptors.',
    type: 'gauge',
    labels: [],
    read: () => fromProc(() => readdirSync('/proc/self/fd').length),
  },
  {
    name: 'process_max_fds',
    help: 'Maximum number of open file descriptors.',
    type: 'gauge',
    labels: [],
    read: () => {
      const limit = openFilesLimit();
      return Number.isFinite(limit) ? single(limit) : [];
    },
  },
];

function single(value: number): Sample[] {
  return [{ labels: {}, value }];
}

/** No sample if there is no /proc. */
function fromProc(read: () => number): Sample[] {
  try {
    return single(read());
  } catch {
    return [];
  }
}
