import type { CountedEndpoint } from '../../api/port-limits.ts';
import type { EndpointSpec } from '../../api/schema/endpoint.ts';
import type { RealmRelaySpec } from '../../api/schema/realm-relay.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { present } from '../../lib/record.ts';
import type { SourcedProblem } from '../config-error.ts';
import type { SourceDocument } from '../config-text.ts';
import { endpointNetwork, type EndpointNetwork } from '../network-keys.ts';
import { mergedConfig } from '../parsed-config.ts';
import { portsOf, type PortConfig } from '../port-config.ts';
import type { EndpointConfig } from '../relay-config.ts';
import { endpointNames, type Unnamed } from './endpoint-names.ts';
import { endpointLosses, tableLosses, withoutDevices } from './losses.ts';
import { healthCheckSpec, networkSpec } from './network-spec.ts';
import { endpointOrigins, type EndpointOrigin, type Origin } from './origins.ts';
import { portRuns, type PortRun } from './port-runs.ts';
import { importedService } from './service-ports.ts';
import { Secrets, type ImportedSecret } from './secrets.ts';
import { transportSpecs } from './transport-specs.ts';

/** A configuration of Realm as a RealmRelay, which is not validated yet. */
export type ImportedRelay = {
  readonly spec: RealmRelaySpec;
  /** The origin of each of its endpoints; the first one if the endpoint is joined from several. */
  readonly origins: readonly Origin[];
  /** The Secrets to create from the files that the configuration names. */
  readonly secrets: readonly ImportedSecret[];
  /** Input that was ignored, or that a RealmRelay has no field for. */
  readonly warnings: readonly SourcedProblem[];
};

/**
 * The RealmRelay for the configuration in `given`, merged as `mergedConfig` does.
 *
 * @throws ConfigError if the relay would reject it.
 */
export function importedRelay(given: readonly SourceDocument[]): ImportedRelay {
  const { sources, warnings: devices } = withoutDevices(given);
  const { config, network, warnings } = mergedConfig(sources, {});
  const places = endpointOrigins(sources);
  const placed = config.endpoints.flatMap((endpoint, index) => {
    const origin = places[index];
    return origin === undefined ? [] : { endpoint, origin };
  });
  const listeners = joined(placed).flatMap(listenersOf);
  const names = endpointNames(listeners.map(unnamed));
  const { service, notes } = importedService(listeners.map(counted), places[0]);
  const secrets = new Secrets();
  const spec = {
    ...(config.log.level !== 'info' && { logLevel: config.log.level }),
    ...present('network', networkSpec(network, endpointNetwork({}))),
    ...service,
    endpoints: listeners.map((listener, index) =>
      endpointSpec(names[index] ?? '', listener, network, secrets),
    ),
  };
  const losses = placed.flatMap(({ endpoint, origin }) => endpointLosses(endpoint, network, origin));
  return {
    spec,
    origins: listeners.map(({ origin }) => origin),
    secrets: secrets.all(),
    warnings: [
      ...warnings,
      ...tableLosses(config, network, sources),
      ...losses,
      ...devices,
      ...renamed(listeners, names),
      ...notes,
    ],
  };
}

/** An endpoint and its origin. */
type Placed = { readonly endpoint: EndpointConfig; readonly origin: EndpointOrigin };

/** A port and its origin. */
type PlacedPort = PortConfig & { readonly origin: EndpointOrigin };

/** Endpoints that differ only in their ports and may become one; `endpoint` is the first of them. */
type Group = {
  readonly endpoint: EndpointConfig;
  readonly key: string;
  readonly ports: readonly PlacedPort[];
};

/** Groups neighbours that differ only in their ports. An endpoint with a name or a connection limit is not joined. */
function joined(all: readonly Placed[]): Group[] {
  const groups: (Group & { readonly ports: PlacedPort[] })[] = [];
  for (const { endpoint, origin } of all) {
    const ports = portsOf(endpoint).map((port) => ({ ...port, origin }));
    const { maxConnections, maxConnectionsPerClient } = endpoint.network;
    const isJoinable = origin.name === undefined && maxConnections === 0 && maxConnectionsPerClient === 0;
    const key = isJoinable ? settingsKey(endpoint) : '';
    const last = groups.at(-1);
    if (last !== undefined && key !== '' && last.key === key) last.ports.push(...ports);
    else groups.push({ endpoint, key, ports });
  }
  return groups;
}

/** The settings of `endpoint` except its ports and name, as text to compare. */
function settingsKey({ name: _name, range: _range, listen, remotes, ...settings }: EndpointConfig): string {
  return canonicalJson({ ...settings, listen: listen.host, remotes: remotes.map(({ host }) => host) });
}

/** A run of ports that becomes one endpoint. */
type Listener = Placed & { readonly run: PortRun<PlacedPort> };

function unnamed({ endpoint: { network }, origin, run }: Listener): Unnamed {
  return { ...present('name', origin.name), listen: run.first.listen, network };
}

function counted({ endpoint: { network, remotes: all }, run }: Listener): CountedEndpoint {
  return { listen: { port: run.first.listen.port, endPort: run.lastPort }, network, remotes: all };
}

function listenersOf({ endpoint, ports }: Group): Listener[] {
  return portRuns(ports).map((run) => ({ endpoint, origin: run.first.origin, run }));
}

function endpointSpec(
  name: string,
  { endpoint, run }: Listener,
  network: EndpointNetwork,
  secrets: Secrets,
): EndpointSpec {
  const { host, port } = run.first.listen;
  return {
    name,
    listen: { address: host, port, ...(run.lastPort > port && { endPort: run.lastPort }) },
    ...present(
      'sni',
      endpoint.sni && (endpoint.sni.hosts.length === 0 ? {} : { hosts: [...endpoint.sni.hosts] }),
    ),
    remotes: remotes(endpoint, run),
    ...present('balance', balance(endpoint)),
    ...present('through', endpoint.through?.ip && endpoint.through.host),
    ...present('healthCheck', endpoint.healthCheck && healthCheckSpec(endpoint.healthCheck)),
    ...transportSpecs(endpoint, secrets),
    ...present('network', networkSpec(endpoint.network, network)),
  };
}

/** A single remote needs no weight. */
function remotes({ balance: { weights } }: EndpointConfig, { first, fixed }: PortRun<PortConfig>) {
  return first.remotes.map(({ host, port }, index) => {
    const weight = first.remotes.length === 1 ? 1 : (weights[index] ?? 1);
    return {
      address: host,
      port,
      ...(fixed[index] === true && { fixedPort: true }),
      ...(weight !== 1 && { weight }),
    };
  });
}

const balances = {
  off: 'Failover',
  roundrobin: undefined, // the default
  iphash: 'IPHash',
  leastconnections: 'LeastConnections',
} as const;

function balance({ remotes: { length }, balance: { strategy } }: EndpointConfig): EndpointSpec['balance'] {
  return length === 1 ? undefined : balances[strategy];
}

/** Warns about names that had to be changed for a RealmRelay. */
function renamed(listeners: readonly Listener[], names: readonly string[]): SourcedProblem[] {
  return listeners.flatMap(({ origin: { name: value, source, path } }, index) => {
    const name = names[index] ?? '';
    if (value === undefined || value === name) return [];
    const what = `becomes "${name}"`;
    const remedy = 'use a DNS label of at most 15 characters, once, to choose another';
    return [{ source, path: [...path, 'name'], what, value, remedy }];
  });
}
