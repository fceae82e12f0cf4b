import { addressFamily, hostText, isUnspecified, type IpAddress, type IpFamily } from '../lib/ip-address.ts';
import { portsText } from '../lib/port-range.ts';
import { sharingRemedy, type Sni, type SniListener } from './sni.ts';

/** A transport protocol, spelled as in Kubernetes. */
export type Protocol = 'TCP' | 'UDP';

/** The settings that decide which sockets an endpoint needs; a parsed endpoint has them. */
export type Listener = {
  readonly name: string;
  /** `host` is the name that the address was looked up for; absent if the document has an address. */
  readonly listen: { readonly address: IpAddress; readonly host?: string } & ListenPorts;
  readonly network: Protocols & SniListener['network'] & { readonly ipv6Only: boolean };
  readonly sni?: Sni;
};

/** The protocols that are served. */
export type Protocols = { readonly tcp: boolean; readonly udp: boolean };

/** One port, or those from `port` to `endPort`. */
export type ListenPorts = { readonly port: number; readonly endPort?: number };

/** Two endpoints that need the same address, port and protocol, so that the second bind fails with EADDRINUSE. */
export type PortConflict = {
  /** Names of the two endpoints, in the order of code points. */
  readonly endpoints: readonly [string, string];
  readonly protocols: readonly Protocol[];
  /** The ports that both need. */
  readonly ports: { readonly first: number; readonly last: number };
  /** Names both endpoints and the addresses and families of each. */
  readonly what: string;
  readonly remedy: string;
  /** `what` and `remedy` in one sentence; of a RealmRelay the same as the admission policy's. */
  readonly message: string;
};

/** The document that the user wrote, whose keys a remedy names. */
export type WrittenAs = 'RealmRelay' | 'Realm';

const ipv6OnlyOn = { RealmRelay: 'ipv6Only: true', Realm: 'ipv6_only to true' } as const;

/** The outcome of binding both sockets, in either order. */
export type Prediction = 'fits' | 'conflicts' | 'cannot bind';

/**
 * Every pair of `listeners` that cannot be bound side by side, sorted by the names of the two. In the order of their ports
 * each is compared only with those that begin before it ends: a relay may have thousands.
 */
export function portConflicts(
  listeners: readonly Listener[],
  writtenAs: WrittenAs = 'RealmRelay',
): PortConflict[] {
  const byPort = listeners.toSorted((a, b) => a.listen.port - b.listen.port);
  const conflicts: PortConflict[] = [];
  for (const [index, first] of byPort.entries()) {
    const last = lastPort(first.listen);
    for (let next = index + 1; (byPort[next]?.listen.port ?? Infinity) <= last; next += 1) {
      const pair = [first, byPort[next] as Listener].toSorted(byName) as Pair;
      conflicts.push(...(conflict(pair, writtenAs) ?? []));
    }
  }
  return conflicts.toSorted((a, b) => compared(a.endpoints, b.endpoints) || a.ports.first - b.ports.first);
}

type Pair = [Listener, Listener];

function byName(a: Listener, b: Listener): number {
  return compared([a.name], [b.name]);
}

/** Compares in the order of code points. */
function compared(a: readonly string[], b: readonly string[]): number {
  const index = a.findIndex((each, at) => each !== b[at]);
  if (index === -1) return 0;
  return (a[index] ?? '') < (b[index] ?? '') ? -1 : 1;
}

/**
 * Predicts the second bind of two, by the address and the ipv6Only of each, port and protocol being equal.
 *
 * Assumes that listeners set IPV6_V6ONLY explicitly and never SO_REUSEPORT, and for UDP that `net.ipv6.bindv6only` is 0. A
 * property test compares it with the kernel.
 */
export function prediction(first: BindAddress, second: BindAddress): Prediction {
  if (!canBind(first) || !canBind(second)) return 'cannot bind';
  return addressesOverlap(first, second) ? 'conflicts' : 'fits';
}

/** The address of a listening socket and whether IPV6_V6ONLY is on. */
export type BindAddress = { readonly address: IpAddress; readonly ipv6Only: boolean };

/** Whether the kernel binds it at all: it rejects an IPv4-mapped address with IPV6_V6ONLY (EINVAL). */
export function canBind({ address, ipv6Only }: BindAddress): boolean {
  return !(ipv6Only && address.mapped !== undefined);
}

/** The families of the clients that a socket with this address can serve, IPv4 first. */
export function boundFamilies({ address, ipv6Only }: BindAddress): IpFamily[] {
  if (address.family === 'IPv4' || address.mapped !== undefined) return ['IPv4'];
  return isDualStack({ address, ipv6Only }) ? ['IPv4', 'IPv6'] : ['IPv6'];
}

/** The protocols that a listener serves, TCP first. */
export function protocols({ network }: { readonly network: Protocols }): Protocol[] {
  return [...(network.tcp ? (['TCP'] as const) : []), ...(network.udp ? (['UDP'] as const) : [])];
}

/** `listener`'s address and port as text, e.g. `[::]:443`, or `[::]:8000-8255`. */
export function listenText({ listen }: Pick<Listener, 'listen'>): string {
  return `${hostText(listen.address)}:${portsText(listen.port, lastPort(listen))}`;
}

/** The last port of the listener. */
export function lastPort({ port, endPort = port }: ListenPorts): number {
  return endPort;
}

function conflict([first, second]: Pair, writtenAs: WrittenAs): [PortConflict] | undefined {
  const ports = {
    first: Math.max(first.listen.port, second.listen.port),
    last: Math.min(lastPort(first.listen), lastPort(second.listen)),
  };
  if (ports.first > ports.last) return undefined;
  const shared = protocols(first).filter((protocol) => protocols(second).includes(protocol));
  if (shared.length === 0 || !addressesOverlap(bound(first), bound(second))) return undefined;
  const remedy = remedyFor(first, second, writtenAs);
  if (remedy === undefined) return undefined;
  const which = `port${ports.first === ports.last ? '' : 's'} ${portsText(ports.first, ports.last)}`;
  const what = `endpoints ${described(first)} and ${described(second)} cannot share ${shared.join(' and ')} ${which}`;
  const endpoints = [first.name, second.name] as const;
  return [{ endpoints, protocols: shared, ports, what, remedy, message: `${what}: ${remedy}` }];
}

/** The families of a host name, which the relay's file may have as `address`, are not known. */
function described(listener: Listener): string {
  const isAddress = addressFamily(listener.listen.address.text) !== undefined;
  const families = isAddress ? ` for ${boundFamilies(bound(listener)).join(' and ')}` : '';
  const { host, port } = listener.listen;
  const name = host === undefined ? '' : `${host}:${portsText(port, lastPort(listener.listen))} is `;
  return `"${listener.name}" (${name}${listenText(listener)}${families})`;
}

/** Undefined if they share one socket by the names of TLS clients. */
function remedyFor(first: Listener, second: Listener, writtenAs: WrittenAs): string | undefined {
  const remedy = isOneSocket(first, second) ? sharingRemedy([first, second], writtenAs) : '';
  if (remedy !== '') return remedy;
  if (first.sni === undefined || second.sni === undefined) return partingRemedy(first, second, writtenAs);
  return 'listen on the same address, for the same families, so that they share it by sni, or choose another port';
}

/** Whether both need the very same socket. */
function isOneSocket(first: Listener, second: Listener): boolean {
  const [a, b] = [bound(first), bound(second)];
  return addressKey(a) === addressKey(b) && boundFamilies(a).join() === boundFamilies(b).join();
}

/** ipv6Only only helps if one of them serves both families and the other only IPv4. */
function partingRemedy(first: Listener, second: Listener, writtenAs: WrittenAs): string {
  const [dual, other] = isDualStack(bound(first)) ? [first, second] : [second, first];
  const parts = isDualStack(bound(dual)) && boundFamilies(bound(other)).join() === 'IPv4';
  return parts
    ? `set ${ipv6OnlyOn[writtenAs]} on "${dual.name}", or choose another port`
    : 'choose another port or address for one of them';
}

function bound({ listen, network }: Listener): BindAddress {
  return { address: listen.address, ipv6Only: network.ipv6Only };
}

function isDualStack({ address, ipv6Only }: BindAddress): boolean {
  return address.text === '::' && !ipv6Only;
}

/** A wildcard socket occupies every address of its families, any other socket only one. */
function addressesOverlap(first: BindAddress, second: BindAddress): boolean {
  const shared = boundFamilies(first).filter((family) => boundFamilies(second).includes(family));
  if (shared.length === 0) return false;
  return (
    isUnspecified(first.address) || isUnspecified(second.address) || addressKey(first) === addressKey(second)
  );
}

function addressKey({ address }: BindAddress): string {
  return `${address.mapped ?? address.text}%${address.zone}`;
}
