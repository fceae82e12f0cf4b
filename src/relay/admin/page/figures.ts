import type { EndpointStatus, RelayStatus } from '../status.ts';
import { countedText } from '../../../telemetry/page/texts.ts';
import type { RemoteHealth } from '../../upstream/remote-health.ts';

// Computes the figures of the page from snapshots of the status.

/** A status, and when it was computed, in ms since the Unix epoch. */
export type Snapshot = { readonly ms: number; readonly status: RelayStatus };

/** A count of an endpoint, over its connections and associations. */
export type Counter = (endpoint: EndpointStatus) => number;

export const opened: Counter = ({ connections, associations }) => connections.total + associations.total;
export const active: Counter = ({ connections, associations }) => connections.active + associations.active;
/** The most that were open at a time. */
export const most: Counter = ({ connections, associations }) => connections.max + associations.max;
export const fromClients: Counter = ({ connections, associations }) =>
  connections.fromClientBytes + associations.fromClientBytes;
export const fromRemotes: Counter = ({ connections, associations }) =>
  connections.fromUpstreamBytes + associations.fromUpstreamBytes;
export const failures: Counter = ({ connections, associations }) =>
  [connections, associations].reduce(
    (sum, { failed }) => sum + failed.client + failed.upstream + failed.relay,
    0,
  );
/** Refused by a limit, by `allowed_sources`, as a loop, or by a backend. */
export const refused: Counter = (endpoint) =>
  [
    endpoint.refused,
    endpoint.notAllowed,
    endpoint.tooManyOfClient,
    endpoint.looped,
    endpoint.backendRefused,
  ].reduce((sum, { connections, associations }) => sum + connections + associations, 0);

/**
 * Growth of `counter` per second, over the endpoints in both snapshots.
 *
 * @param name  of this endpoint alone.
 * @returns undefined if there is nothing to compare.
 */
export function rate(
  before: Snapshot | undefined,
  now: Snapshot,
  counter: Counter,
  name?: string,
): number | undefined {
  if (before === undefined) return undefined;
  const seconds = (now.ms - before.ms) / 1000;
  const known = new Map(before.status.endpoints.map((endpoint) => [endpoint.name, counter(endpoint)]));
  const grown = now.status.endpoints
    .filter((endpoint) => name === undefined || endpoint.name === name)
    .map((endpoint) => counter(endpoint) - (known.get(endpoint.name) ?? Infinity))
    .filter((growth) => growth >= 0); // less than 0: the relay restarted
  if (grown.length === 0 && name !== undefined) return undefined;
  return grown.reduce((sum, growth) => sum + growth, 0) / seconds;
}

/** Each remote's share, 0 to 1, of the endpoint's new connections, else of the open ones; undefined without any. */
export function shares(
  oldest: Snapshot | undefined,
  endpoint: string,
  protocol: 'TCP' | 'UDP',
  remotes: readonly RemoteHealth[],
): (number | undefined)[] {
  const first = oldest?.status.endpoints.find(({ name }) => name === endpoint)?.health[protocol];
  const worked = remotes.map(({ address, dials, failed }) => {
    const before = first?.find((remote) => remote.address === address);
    return Math.max(0, dials - failed - (before === undefined ? 0 : before.dials - before.failed));
  });
  const parts = worked.some((count) => count > 0) ? worked : remotes.map((remote) => remote.active);
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((part) => (sum === 0 ? undefined : part / sum));
}

/** Which remote: of remotes with one address, the one at this place. */
type RemotePlace = {
  readonly endpoint: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly remote: RemoteHealth;
  readonly index: number;
};

/** Bytes per second of a remote; undefined if there is nothing to compare. */
export function remoteRate(
  before: Snapshot | undefined,
  now: Snapshot | undefined,
  { endpoint, protocol, remote, index }: RemotePlace,
): { fromClients: number | undefined; fromRemote: number | undefined } {
  const known = before?.status.endpoints.find(({ name }) => name === endpoint)?.health[protocol][index];
  if (before === undefined || now === undefined || known?.address !== remote.address)
    return { fromClients: undefined, fromRemote: undefined };
  const seconds = (now.ms - before.ms) / 1000;
  return {
    fromClients: growth(remote.fromClientBytes - known.fromClientBytes, seconds),
    fromRemote: growth(remote.fromUpstreamBytes - known.fromUpstreamBytes, seconds),
  };
}

/** Less than 0: the relay restarted. */
function growth(count: number, seconds: number): number | undefined {
  return count < 0 ? undefined : count / seconds;
}

/** A count of all endpoints together. */
export function total({ endpoints }: RelayStatus, counter: Counter): number {
  return endpoints.reduce((sum, endpoint) => sum + counter(endpoint), 0);
}

/** What is wrong with the relay as a whole, a sentence each. */
export function warnings({ descriptorsShort, memory, logLinesDropped, workers }: RelayStatus): string[] {
  const replaced = workers?.replaced ?? 0;
  return [
    ...(descriptorsShort > 0 ? ['File descriptors are short: new TCP clients wait until others leave.'] : []),
    ...(memory.dropped > 0
      ? [
          `Memory was short ${countedText(memory.dropped, 'time', 'times')}: waiting datagrams of UDP clients were dropped.`,
        ]
      : []),
    ...(logLinesDropped > 0
      ? [
          `${countedText(logLinesDropped, 'line of the log was', 'lines of the log were')} dropped: it is full, failed, or not read.`,
        ]
      : []),
    ...(replaced > 0
      ? [
          `${countedText(replaced, 'worker exited and was', 'workers exited and were')} replaced: the log has the reason.`,
        ]
      : []),
  ];
}
