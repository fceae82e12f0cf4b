import type { Relay } from '../api/relay.ts';
import type { RealmDocument } from '../config/realm-document.ts';
import { realmDocument } from '../desired/config-map.ts';
import { neededSecrets, secretsFolder } from '../desired/transports.ts';
import { logLevels } from '../lib/log-level.ts';
import type { Finding } from './findings.ts';
import type { PlacedRelay } from './manifests.ts';

/** Whether a machine runs the relay: it is not paused and has at least one replica. */
export function runsOnHost({ paused, replicas }: Relay): boolean {
  return !paused && replicas > 0;
}

/** One configuration for all of `relays`, for the one relay program of a machine. `endpointName` names the endpoints. */
export function hostDocument(relays: readonly Relay[]): RealmDocument {
  const endpoints = relays.flatMap((relay) =>
    realmDocument(relay).endpoints.map((endpoint) => ({
      ...endpoint,
      ...(endpoint.name !== undefined && { name: endpointName(relay, endpoint.name) }),
      ...(endpoint.range_of !== undefined && { range_of: endpointName(relay, endpoint.range_of) }),
    })),
  );
  const level = logLevels[Math.max(...relays.map(({ logLevel }) => logLevels.indexOf(logLevel)))];
  return { ...(level === undefined ? {} : { log: { level } }), endpoints };
}

/** Warnings for what is missing without a cluster: the Secrets that relays name. */
export function hostSecrets(placed: readonly PlacedRelay[]): Finding[] {
  return placed.flatMap(({ relay, file, position }) =>
    neededSecrets(relay.endpoints).map(({ name, keys }) => {
      const what = `there is no Secret "${name}" without a cluster`;
      const remedy = `put ${keys.join(', ')} into ${secretsFolder}/${name}`;
      const problem = { path: ['metadata', 'name'], what, remedy };
      return { severity: 'warning', file, ...position, problem };
    }),
  );
}

/** How long connections are drained at shutdown: the longest time of all relays. */
export function hostDrainSeconds(relays: readonly Relay[]): number {
  return Math.max(0, ...relays.map(({ drainSeconds }) => drainSeconds));
}

/** How many threads serve: the most that a relay of `relays` that runs asks for. */
export function hostWorkers(relays: readonly Relay[]): number {
  return Math.max(1, ...relays.filter(runsOnHost).map(({ workers }) => workers));
}

/** `relay/endpoint`, in the namespace `default`; `namespace/relay/endpoint` in others. */
function endpointName({ metadata: { namespace, name } }: Relay, endpoint: string): string {
  return [...(namespace === 'default' ? [] : [namespace]), name, endpoint].join('/');
}
