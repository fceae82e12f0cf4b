import type { MetricFamily } from '../../telemetry/metrics.ts';
import type { RemoteHealth } from '../upstream/remote-health.ts';
import { family, type Values } from './endpoint-family.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** The metrics of remotes. */
export function remoteFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  const labels = ['protocol', 'remote'];
  return [
    family('gauge', status)(
      'remote_healthy',
      '1 if the remote is tried in turn, 0 if it is ejected or unhealthy and tried last; absent while remote_unknown is 1.',
      labels,
      (endpoint) => remotes(endpoint, ({ healthy }) => (healthy === null ? undefined : Number(healthy))),
    ),
    family('gauge', status)(
      'remote_unknown',
      '1 until the first dial or check of the remote has ended, so that its health is unknown, else 0.',
      labels,
      (endpoint) => remotes(endpoint, ({ state }) => Number(state === 'unknown')),
    ),
    family('gauge', status)(
      'remote_active',
      'Open connections or associations of the remote.',
      labels,
      (endpoint) => remotes(endpoint, ({ active }) => active),
    ),
    family('counter', status)('remote_dials_total', 'Dials of the remote.', labels, (endpoint) =>
      remotes(endpoint, ({ dials }) => dials),
    ),
    family('counter', status)(
      'remote_dials_failed_total',
      'Failed dials of the remote.',
      labels,
      (endpoint) => remotes(endpoint, ({ failed }) => failed),
    ),
    family('counter', status)(
      'remote_bytes_total',
      'Bytes that clients sent to the remote, and that it sent to them, by sending side.',
      [...labels, 'from'],
      (endpoint) => [
        ...remotes(endpoint, ({ fromClientBytes }) => fromClientBytes, 'client'),
        ...remotes(endpoint, ({ fromUpstreamBytes }) => fromUpstreamBytes, 'upstream'),
      ],
    ),
    family('gauge', status)(
      'remote_last_check_timestamp_seconds',
      'When the last health check of the remote ended, in seconds since the Unix epoch; absent without health checks.',
      labels,
      (endpoint) => remotes(endpoint, ({ lastCheck }) => lastCheck && Date.parse(lastCheck.time) / 1000),
    ),
  ];
}

/**
 * @param value  null or undefined = the remote has no sample.
 * @param more  the values of further labels.
 */
function remotes(
  { health }: EndpointStatus,
  value: (remote: RemoteHealth) => number | null | undefined,
  ...more: string[]
): Values {
  return Object.entries(health).flatMap(([protocol, each]) =>
    each.flatMap((remote): Values => {
      const sample = value(remote);
      if (sample === null || sample === undefined) return [];
      return [[[protocol.toLowerCase(), remote.address, ...more], sample]];
    }),
  );
}
