import type { Side } from './side.ts';
import { networkFields } from '../../config/spec-fields.ts';
import { ownValue } from '../../lib/record.ts';

/** What a relay's configuration is made of: a file with Realm's keys, or a RealmRelay with its fields. */
export type ConfigLanguage = 'Realm' | 'RealmRelay';

/** What to do about a failure of a remote or of the relay, by code. `{key}` is a key of the file, or words of `words`. */
const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'The remote refuses connections: start it, or correct its address or port.',
  ETIMEDOUT: 'The remote does not answer: check that it runs and that no firewall drops its packets.',
  REALM_DIAL_TIMEOUT:
    'The remote or a name server does not answer in time: check for a firewall that drops packets, or raise {tcp_timeout}.',
  ENOTFOUND: "The name does not resolve: correct the remote's name, or check the name servers.",
  ENODATA: 'The name has no address of the requested IP families: check its records{mode in [dns]}.',
  EAI_AGAIN:
    'The name servers do not answer, or fail: check that this machine can reach them, and the zone of the name.',
  EHOSTUNREACH: 'No route to the remote: check its address and the routes of this machine.',
  ENETUNREACH:
    'This machine has no route for that IP family: use an address of the other family, or add a route.',
  EADDRNOTAVAIL:
    'No source port is free, or {through} is not an address of this machine: correct {through}, or add source addresses.',
  REALM_THROUGH_FAMILY: 'Set {through} to an address of the same IP family as the remote, or remove it.',
  REALM_DESTINATION_DENIED:
    'The platform does not allow that address as a destination: change the remote, or have the platform change {denied_destinations}.',
  EMFILE: 'Raise the open file limit with {ulimit -n}.',
  ENFILE: 'Raise the open file limit of this machine, fs.file-max.',
  REALM_CONNECTION_IDLE:
    'Raise {tcp_idle_timeout}, or {tcp_half_close_timeout} where one side had ended, or let the client or the remote send keepalives.',
  REALM_PING_TIMEOUT:
    'Check that the peer runs and answers WebSocket pings; for one that does not, as Realm, remove {pingtimeout}.',
  REALM_PROXY_HEADER:
    'Have clients send a PROXY header and list them in {accept_proxy_trusted}, or turn {accept_proxy} off.',
  REALM_CLIENT_HELLO:
    'Have clients begin with TLS, whose ClientHello has at most 16 KiB; of those that do not speak TLS, listen on another port.',
  REALM_CLIENT_HELLO_TIMEOUT:
    'The client connects and does not begin TLS; if the network is slow, raise {tcp_timeout}.',
  REALM_SERVER_NAME_UNKNOWN:
    'Add the name to {sni.hosts} of an endpoint, or remove {sni.hosts} of one, so that it serves all other names.',
  SourceNotAllowed:
    'Add the clients to serve to {allowed_sources}; the log has their addresses. If none is missing, nothing needs to be done.',
  TooManyOfClient:
    'Raise {max_connections_per_client} if many users share an address, as behind a NAT or a proxy; the log has the client.',
  RelayLoop:
    'Give the remote the address and port of the service behind the relay: the present one leads back to the relay.',
  REALM_REMOTE_SILENT:
    'Another remote answered where this one did not: check that it runs, and that no firewall drops UDP.',
  HealthCheckFailed:
    'Check that the remote runs and accepts connections, or answers {health_check.udp}; until then it is tried last.',
  TooManyWait: 'Raise {max_connections} or {max_waiting}, or {add relays}.',
  ConnectionLimit: 'Raise {max_connections}, or {add relays}.',
  DescriptorsShort: 'Raise the open file limit with {ulimit -n}, or {add relays}.',
  MemoryShort: 'Raise {the memory limit}, {add relays}, or limit clients with {max_connections_per_client}.',
  WorkerFailed: 'A thread of the relay failed and was replaced: report the error, which the log has.',
  AddressInUse: 'Free the address, or choose another; the relay retries the bind.',
  AddressNotAvailable: 'Choose an address of this machine; the relay retries the bind.',
  NotPermitted: 'Choose a port from 1024, or lower net.ipv4.ip_unprivileged_port_start.',
  NameNotFound: 'Correct the name in {listen}, or write an address.',
  ConfigRejected: 'Correct the configuration; until then the previous one stays active.',
};

const resets: Readonly<Record<Side, string>> = {
  client: 'The client reset the connection; if this happens often, check the client.',
  upstream: 'The remote reset the connection: check its log.',
  relay: '',
};

const handshakes: Readonly<Record<Side, string>> = {
  client:
    'The client does not match {listen_transport}: check that both use TLS or WebSocket, with the same host and path, and that each trusts the certificate of the other.',
  upstream:
    'The remote does not match {remote_transport}: check that both use TLS or WebSocket, with the same host and path, and that {sni, ca, cert and key} are what the remote expects.',
  relay: '',
};

/** Remedies that depend on the side, by code. */
const sided: Readonly<Record<string, Readonly<Record<Side, string>>>> = {
  ECONNRESET: resets,
  EPIPE: resets,
  REALM_HANDSHAKE_FAILED: handshakes,
};

/** What stands in braces in a remedy, beside the keys of `network`: in terms of a file, and of a RealmRelay. */
const words: Readonly<Record<string, Readonly<Record<ConfigLanguage, string>>>> = {
  through: { Realm: 'through', RealmRelay: 'through' },
  listen: { Realm: 'listen', RealmRelay: 'listen.address' },
  'sni.hosts': { Realm: 'sni.hosts', RealmRelay: 'sni.hosts' },
  pingtimeout: { Realm: 'pingtimeout', RealmRelay: 'webSocket.pingTimeoutSeconds' },
  denied_destinations: { Realm: 'denied_destinations', RealmRelay: '--denied-destinations of the operator' },
  listen_transport: { Realm: 'listen_transport', RealmRelay: 'listenTransport' },
  remote_transport: { Realm: 'remote_transport', RealmRelay: 'remoteTransport' },
  'health_check.udp': { Realm: 'health_check.udp', RealmRelay: 'healthCheck.udp' },
  'sni, ca, cert and key': {
    Realm: 'sni, ca, cert and key',
    RealmRelay: 'tls.serverName, tls.caSecretName and tls.clientSecretName',
  },
  'mode in [dns]': { Realm: ', and mode in [dns]', RealmRelay: '' },
  'ulimit -n': {
    Realm: '"ulimit -n" or the flag -n',
    RealmRelay: '"ulimit -n", or that of the container runtime',
  },
  'add relays': { Realm: 'add relays', RealmRelay: 'raise replicas' },
  'the memory limit': { Realm: 'the memory limit of the container', RealmRelay: 'resources.limits.memory' },
};

/** For each key of a file, the field of a RealmRelay. */
const fieldByKey: ReadonlyMap<string, string> = new Map(fieldPaths(networkFields, 'network'));

type Table = { readonly [field: string]: string | Table };

function fieldPaths(table: Table, path: string): [key: string, path: string][] {
  return Object.entries(table).flatMap(([field, key]) =>
    typeof key === 'string' ? [[key, `${path}.${field}`]] : fieldPaths(key, `${path}.${field}`),
  );
}

/**
 * What to do about a failure; '' if that depends on its message.
 *
 * @param language  whose keys or fields it names.
 */
export function remedy(side: Side, reason: string, language: ConfigLanguage): string {
  const bySide = ownValue(sided, reason);
  const text = (bySide === undefined ? ownValue(remedies, reason) : bySide[side]) ?? '';
  return text.replaceAll(/\{([^{}]*)\}/g, (_, key: string) => inLanguage(key, language));
}

/** A key of a file, or the field of a RealmRelay with the same meaning. */
export function inLanguage(key: string, language: ConfigLanguage): string {
  const both = ownValue(words, key);
  if (both !== undefined) return both[language];
  return language === 'Realm' ? key : (fieldByKey.get(key) ?? key);
}

/** Every reason that has a remedy. */
export const reasonsWithRemedy: readonly string[] = [...Object.keys(remedies), ...Object.keys(sided)];
