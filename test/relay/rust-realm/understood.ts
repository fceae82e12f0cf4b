import { isFault, parseSocketAddress, socketAddressText } from '../../../src/config/address.ts';
import type { DnsConfig } from '../../../src/config/dns-config.ts';
import { portsOf } from '../../../src/config/port-config.ts';
import type { EndpointNetwork } from '../../../src/config/network-keys.ts';
import type { EndpointConfig } from '../../../src/config/relay-config.ts';
import type { TransportConfig } from '../../../src/config/transport.ts';

/** What became of an endpoint's keys and flags, as far as Realm shows it when it starts; in its words. */
export type Understood = {
  readonly listen: string;
  readonly remotes: readonly string[];
  readonly options: Readonly<Record<string, string>>;
};

/**
 * What Realm's `line` shows, without `inited: `.
 *
 * @throws Error where it is not such a line.
 */
export function understoodByRealm(line: string): Understood {
  const [, listen = '', remotes = '', options = ''] = /^(\S+) -> \[(.+)\]; options: (.+)$/.exec(line) ?? [];
  const words = options.split(/[;,]? /).map((word) => /^([^=]+)=(.*)$/.exec(word) ?? []);
  return {
    listen: addressText(listen),
    remotes: remotes.split('|').map(addressText),
    options: withoutIdle(Object.fromEntries(words.map(([, name = '', value = '']) => [name, value]))),
  };
}

/** The same of our own configuration, for every port of `endpoint`. */
export function understoodHere(endpoint: EndpointConfig): Understood[] {
  return portsOf(endpoint).map(({ listen, remotes }) => ({
    listen: socketAddressText(listen),
    remotes: remotes.map(socketAddressText),
    options: withoutIdle({
      ...networkOptions(endpoint.network),
      ...(endpoint.through !== undefined && { 'send-through': socketAddressText(endpoint.through) }),
      ...transportOption(endpoint),
      balance: endpoint.balance.strategy,
    }),
  }));
}

/** What is shown of name lookups: protocols other than TCP alone are one. */
type UnderstoodDns = Readonly<Record<'mode' | 'min-ttl' | 'max-ttl' | 'cache-size' | 'servers', string>> & {
  readonly isTcpOnly: boolean;
};

/** What Realm shows of name lookups among its `lines`. */
export function dnsOfRealm(lines: readonly string[]): UnderstoodDns {
  const line = lines.find((each) => each.startsWith('dns: ')) ?? '';
  const [, mode = '', protocol = '', min = '', max = '', size = '', servers = ''] =
    /^dns: mode=(.+), protocol=(.+), min-ttl=(.+), max-ttl=(.+), cache-size=(.+), servers=(.+)$/.exec(line) ??
    [];
  const isTcpOnly = protocol === 'tcp';
  return { mode, isTcpOnly, 'min-ttl': min, 'max-ttl': max, 'cache-size': size, servers };
}

/** The same of our own configuration. */
export function dnsHere(dns: DnsConfig): UnderstoodDns {
  return {
    mode: dns.mode,
    isTcpOnly: dns.isTcpOnly,
    'min-ttl': String(dns.minTtlMs / 1000),
    'max-ttl': String(dns.maxTtlMs / 1000),
    'cache-size': String(dns.cacheSize),
    servers: dns.nameservers.map(socketAddressText).join(', '),
  };
}

function networkOptions(network: EndpointNetwork): Record<string, string> {
  const { sendProxyVersion, acceptProxy } = network;
  return {
    'ipv6-only': String(network.ipv6Only),
    'send-proxy': String(sendProxyVersion !== undefined),
    'send-proxy-version': String(sendProxyVersion),
    'accept-proxy': String(acceptProxy !== undefined),
    'accept-proxy-timeout': seconds(acceptProxy?.timeoutMs ?? 0),
    'tcp-keepalive': `${seconds(network.tcpKeepaliveMs)}[${String(network.tcpKeepaliveProbes)}]`,
    'connect-timeout': seconds(network.tcpTimeoutMs),
    'associate-timeout': seconds(network.udpTimeoutMs),
    'accept-mptcp': String(network.acceptMptcp),
    'send-mptcp': String(network.sendMptcp),
  };
}

function transportOption({ listenTransport, remoteTransport }: EndpointConfig): Record<string, string> {
  if (listenTransport === undefined && remoteTransport === undefined) return {};
  return { transport: `${layers(listenTransport)}||${layers(remoteTransport)}` };
}

function layers(transport: TransportConfig<unknown> | undefined): string {
  return [
    ...(transport?.webSocket === undefined ? [] : ['[ws]']),
    ...(transport?.tls === undefined ? [] : ['[tls]']),
    '[plain]',
  ].join('');
}

/** Without what means nothing, whatever it is: the details of PROXY headers that are off. */
function withoutIdle(options: Record<string, string>): Record<string, string> {
  const { 'send-proxy-version': version, 'accept-proxy-timeout': timeout, ...rest } = options;
  return {
    ...rest,
    ...(options['send-proxy'] === 'true' && { 'send-proxy-version': String(version) }),
    ...(options['accept-proxy'] === 'true' && { 'accept-proxy-timeout': String(timeout) }),
  };
}

/** `text`, an address in any of Realm's spellings, in one. */
function addressText(text: string): string {
  const address = parseSocketAddress(text);
  if (isFault(address)) throw new Error(`${text}: ${address.what}`);
  return socketAddressText(address);
}

function seconds(ms: number): string {
  return `${String(ms / 1000)}s`;
}
