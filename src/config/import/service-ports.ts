import { portPairs, type CountedEndpoint } from '../../api/port-limits.ts';
import { maxServicePorts } from '../../api/schema/endpoint.ts';
import type { RealmRelaySpec } from '../../api/schema/realm-relay.ts';
import type { SourcedProblem } from '../config-error.ts';
import type { Origin } from './origins.ts';

/**
 * The Service of an imported relay: none if `endpoints` have more ports than a Service can have, with a note. It is to be split.
 *
 * @param first  the place of the first endpoint; undefined if there is none.
 */
export function importedService(
  endpoints: readonly CountedEndpoint[],
  first: Origin | undefined,
): { readonly service: Pick<RealmRelaySpec, 'service'>; readonly notes: readonly SourcedProblem[] } {
  const ports = portPairs(endpoints);
  if (first === undefined || ports <= maxServicePorts) return { service: {}, notes: [] };
  const max = String(maxServicePorts);
  const note = {
    source: first.source,
    path: first.path.slice(0, 1),
    what: `have ${String(ports)} ports, TCP and UDP counted apart, of which a Service can have ${max}, so that they become several RealmRelays`,
    remedy: `make it one RealmRelay with service.enabled: false and workload.hostNetwork: true if clients reach the ports at the nodes`,
  };
  return { service: { service: { enabled: false } }, notes: [note] };
}
