import type { Relay } from '../api/relay.ts';
import type { RealmDocument } from '../config/realm-document.ts';
import { realmDocument } from '../desired/config-map.ts';
import { neededSecrets, secretsFolder } from '../desired/transports.ts';
import { logLevels } from '../lib/log-level.ts';

/** The relays of `relays` that a machine runs: those that are not paused and have at least one replica. */
export function runningRelays(relays: readonly Relay[]): Relay[] {
  return relays.filter(({ paused, replicas }) => !paused && replicas > 0);
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

/** Warnings for what is missing without a cluster: the Secrets that `relays` name, one line each. */
export function hostSecrets(relays: readonly Relay[]): string[] {
  return relays.flatMap((relay) =>
    neededSecrets(relay.endpoints).map(
      ({ name, keys }) =>
        `${relay.metadata.name}: warning: there is no Secret "${name}" without a cluster: put ${keys.join(', ')} into ${secretsFolder}/${name}`,
    ),
  );
}

/** How long connections are drained at shutdown: the longest time of all relays. */
export function hostDrainSeconds(relays: readonly Relay[]): number {
  return Math.max(0, ...relays.map(({ drainSeconds }) => drainSeconds));
}

/** How many threads serve: the most that a relay asks for. */
export function hostWorkers(relays: readonly Relay[]): number {
  return Math.max(1, ...relays.map(({ workers }) => workers));
}

/** `relay/endpoint`, in the namespace `default`; `namespace/relay/endpoint` in others. */
function endpointName({ metadata: { namespace, name } }: Relay, endpoint: string): string {
  return [...(namespace === 'default' ? [] : [namespace]), name, endpoint].join('/');
}
