import type { RelayStatus } from '../../src/relay/admin/status.ts';
import type { Sample } from './soak.ts';

/** The sum of a metric over all its series, in the text format of Prometheus; 0 if it has none. */
function metric(text: string, name: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/**
 * What `/status` and `/metrics` of a relay's process show.
 *
 * @returns undefined if the status is older than `sinceMs` (Unix time): a response may be a second old.
 */
export function sampleOf(process: string, pages: Pages, sinceMs: number): Sample | undefined {
  const status = JSON.parse(pages.status) as RelayStatus;
  if (Date.parse(status.asOf) < sinceMs) return undefined;
  const total = (count: (endpoint: RelayStatus['endpoints'][number]) => number): number =>
    status.endpoints.reduce((sum, endpoint) => sum + count(endpoint), 0);
  return {
    process,
    connections: total(({ connections, waiting }) => connections.active + waiting),
    associations: total(({ associations }) => associations.active),
    usage: {
      'RSS, KiB': metric(pages.metrics, 'process_resident_memory_bytes') / 1024,
      descriptors: metric(pages.metrics, 'process_open_fds'),
    },
  };
}

/** The bodies of the two. */
type Pages = { readonly status: string; readonly metrics: string };
