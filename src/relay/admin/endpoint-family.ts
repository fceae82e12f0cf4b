import type { MetricFamily, Sample } from '../../telemetry/metrics.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** Values of a metric of one endpoint, each with the values of its further labels. */
export type Values = readonly (readonly [labels: readonly string[], value: number])[];

/** Makes metric families of one type with the label `endpoint`, and others. */
export function family(type: 'counter' | 'gauge', status: () => RelayStatus) {
  return (
    name: string,
    help: string,
    labels: readonly string[],
    values: (endpoint: EndpointStatus) => Values,
  ): MetricFamily => ({
    name: `realm_relay_${name}`,
    help,
    type,
    labels: ['endpoint', ...labels],
    read: () => status().endpoints.flatMap((endpoint) => samples(endpoint, labels, values(endpoint))),
  });
}

function samples({ name }: EndpointStatus, labels: readonly string[], values: Values): Sample[] {
  return values.map(([words, value]) => ({
    labels: {
      endpoint: name,
      ...Object.fromEntries(labels.map((label, index) => [label, words[index] ?? ''])),
    },
    value,
  }));
}
