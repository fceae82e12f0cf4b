import type { HistogramFamily } from '../../telemetry/metrics.ts';
import { connectionBounds, dialBounds, type HistogramCounts } from '../stats/histogram.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** The histograms, by endpoint alone: one for each remote would be more series than all other metrics together. */
export function histogramFamilies(status: () => RelayStatus): readonly HistogramFamily[] {
  const histogram = (
    name: string,
    help: string,
    bounds: readonly number[],
    counts: (endpoint: EndpointStatus) => HistogramCounts,
  ): HistogramFamily => ({
    name: `realm_relay_${name}`,
    help,
    labels: ['endpoint'],
    bounds,
    read: () =>
      status().endpoints.map((endpoint) => ({ labels: { endpoint: endpoint.name }, ...counts(endpoint) })),
  });
  return [
    histogram(
      'dial_seconds',
      'Time that TCP clients waited until a remote was connected, in seconds: name lookup, failed tries and handshakes included.',
      dialBounds,
      ({ dialTime }) => dialTime,
    ),
    histogram(
      'connection_seconds',
      'How long TCP connections lasted, in seconds, from accept to close; those counted as probes excluded.',
      connectionBounds,
      ({ connectionTime }) => connectionTime,
    ),
  ];
}
