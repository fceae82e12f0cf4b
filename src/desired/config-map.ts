import { hash } from 'node:crypto';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { lastPort, listenText } from '../api/port-conflicts.ts';
import { portPairs, portRemotes } from '../api/port-limits.ts';
import type { Endpoint, Relay, Remote } from '../api/relay.ts';
import type { Sni } from '../api/sni.ts';
import { maxServicePorts } from '../api/schema/endpoint.ts';
import { keysOf } from '../config/field-table.ts';
import { realmsKeys } from '../config/key-table.ts';
import { networkKeys } from '../config/network-keys.ts';
import type { RealmDocument, RealmEndpoint, RealmNetwork, RealmSni } from '../config/realm-document.ts';
import { endpointKeys } from '../config/realm-rules.ts';
import { healthCheckFields, networkFields } from '../config/spec-fields.ts';
import { hostText, parseIpAddress } from '../lib/ip-address.ts';
import { memoize } from '../lib/memoize.ts';
import { portsFrom } from '../lib/port-range.ts';
import { present } from '../lib/record.ts';
import { objectMeta, type Desired } from './object-meta.ts';
import { transportKeys } from './transports.ts';

/** The key of the ConfigMap, and so the name of the file in the Pod. */
export const configKey = 'config.json';

/** The name of the ConfigMap of `relay`. */
export function configMapName(relay: Relay): string {
  return `${relay.metadata.name}-config`;
}

/** The ConfigMap with the configuration of `relay`. */
export function configMap(relay: Relay): Desired<V1ConfigMap> {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: objectMeta(relay, configMapName(relay)),
    data: { [configKey]: configText(relay) },
  };
}

/** The text of the relay program's configuration file: equal relays give equal text, byte by byte. */
export const configText = memoize(
  (relay: Relay): string => `${JSON.stringify(realmDocument(relay), null, 2)}\n`,
);

/** SHA-256 of the configuration file, in hexadecimal; the relay program reports the same of the file it runs. */
export const configHash = memoize((relay: Relay): string => hash('sha256', configText(relay)));

/**
 * `relay` as a configuration file of Realm. Each endpoint has its complete network, so that nothing depends on a global
 * table.
 */
export function realmDocument(relay: Relay): RealmDocument {
  const { logLevel: level, deniedDestinations: denied = [], endpoints } = relay;
  return {
    log: { level },
    ...(denied.length > 0 && { denied_destinations: denied }),
    endpoints: endpoints.flatMap(isLarge(endpoints) ? compactEndpoint : realmEndpoints),
  };
}

/** Maximum number of remotes, counted at each port, that are rendered port by port. */
const maxRenderedRemotes = 2048;

/** Whether one entry for each port might not fit into a ConfigMap, of which the API server stores 1 MiB. */
function isLarge(endpoints: readonly Endpoint[]): boolean {
  return portPairs(endpoints) > maxServicePorts || portRemotes(endpoints) > maxRenderedRemotes;
}

/** A range as one endpoint, with keys of our own: Realm serves its first port only. */
function compactEndpoint(endpoint: Endpoint): RealmEndpoint {
  const { port, endPort } = endpoint.listen;
  const { name, listen, ...rest } = realmEndpoint(endpoint, port);
  const fixed = endpoint.remotes.map(({ fixedPort }) => fixedPort);
  return {
    ...present('name', name),
    listen,
    ...present('listen_end_port', endPort),
    ...(endPort !== undefined && fixed.includes(true) && { fixed_remote_ports: fixed }),
    ...rest,
  };
}

/** Realm has no ranges, so each port is an endpoint. Our own relay adds those after the first to the first one. */
function realmEndpoints(endpoint: Endpoint): RealmEndpoint[] {
  const { port } = endpoint.listen;
  const [, ...more] = portsFrom(port, lastPort(endpoint.listen));
  return [
    realmEndpoint(endpoint, port),
    ...more.map((each) => ({ range_of: endpoint.name, ...realmsOwn(realmEndpoint(endpoint, each)) })),
  ];
}

/** `endpoint` with only the keys that Realm knows: our own relay takes the others from the first port of the range. */
function realmsOwn(endpoint: RealmEndpoint): RealmEndpoint {
  const { network = {}, ...rest } = realmsKeys(endpointKeys, endpoint);
  return { ...rest, network: realmsKeys(networkKeys, network) };
}

/** `endpoint` at its listening port `port`. */
function realmEndpoint(endpoint: Endpoint, port: number): RealmEndpoint {
  const shift = port - endpoint.listen.port;
  const [remote = '', ...extraRemotes] = endpoint.remotes.map((each) => remoteText(each, shift));
  return {
    name: endpoint.name,
    listen: listenText({ listen: { address: endpoint.listen.address, port } }),
    ...present('sni', endpoint.sni && sniTable(endpoint.sni)),
    remote,
    ...(extraRemotes.length === 0 ? {} : { extra_remotes: extraRemotes }),
    ...balance(endpoint),
    ...present('backends', endpoint.backends),
    ...(endpoint.through === undefined ? {} : { through: endpoint.through }),
    ...healthCheck(endpoint),
    ...transportKeys(endpoint),
    network: realmNetwork(endpoint),
  };
}

function sniTable({ hosts }: Sni): RealmSni {
  return hosts.length === 0 ? {} : { hosts };
}

function healthCheck({ healthCheck: check }: Endpoint): Pick<RealmEndpoint, 'health_check'> {
  if (check === undefined) return {};
  const { udp, ...rest } = check;
  return { health_check: { ...keysOf(healthCheckFields, rest), ...(udp && { udp }) } };
}

function remoteText({ address, port, fixedPort }: Remote, shift: number): string {
  const parsed = parseIpAddress(address);
  const host = parsed === undefined ? address : hostText(parsed);
  return `${host}:${String(fixedPort ? port : port + shift)}`;
}

/**
 * Realm has no strategy for Failover: without `balance` it dials only the first remote, while our relay then tries the next
 * ones. It has none for LeastConnections either: a key of our own sets that, beside a strategy that Realm accepts.
 */
function balance({ balance: strategy, remotes }: Endpoint): Pick<RealmEndpoint, 'balance' | 'strategy'> {
  if (strategy === 'Failover' || remotes.length === 1) return {};
  const strategyName = strategy === 'IPHash' ? 'iphash' : 'roundrobin';
  return {
    balance: `${strategyName}: ${remotes.map(({ weight }) => String(weight)).join(', ')}`,
    ...(strategy === 'LeastConnections' && { strategy: 'leastconnections' }),
  };
}

/** All settings of the network; `ipv6_only` has no meaning for an IPv4 socket. */
function realmNetwork({ listen, network }: Endpoint): RealmNetwork {
  const all: RealmNetwork = keysOf(networkFields, network);
  const { ipv6_only: _ipv6Only, ...ofIpv4 } = all;
  return listen.address.family === 'IPv6' ? all : ofIpv4;
}
