import { flag, wholeNumber } from '../lib/document-rules.ts';
import { sources } from './address-rules.ts';
import {
  milliseconds,
  negated,
  ours,
  setting,
  settingsOf,
  writtenOf,
  type Conversion,
  type Settings,
  type Written,
} from './key-table.ts';

/** Most seconds that a timer of Node takes, in milliseconds. */
export const mostSeconds = 2_147_483;

const mostKeepaliveSeconds = 32_767; // Linux: MAX_TCP_KEEPIDLE
const mostKeepaliveProbes = 127; // Linux: MAX_TCP_KEEPCNT
const mostConnections = 1_000_000;
const mostAssociations = 1_000_000;
const mostWaiting = 65_536;

/** Keys that become a field of `EndpointNetwork` each. */
const plainKeys = {
  /** Default false: listen on TCP. */
  no_tcp: setting('tcp', flag, false, negated),
  /** Default false: no UDP. */
  use_udp: setting('udp', flag, false),
  /** IPV6_V6ONLY of an IPv6 listening socket; default false: it takes the IPv4 port, too. */
  ipv6_only: setting('ipv6Only', flag, false),
  /** Seconds connect timeout, including the name lookup; default 5, 0 = no limit. */
  tcp_timeout: setting('tcpTimeoutMs', wholeNumber(0, mostSeconds), 5, milliseconds),
  /** Seconds without a datagram after which an association ends; default 30, 0 = never. */
  udp_timeout: setting('udpTimeoutMs', wholeNumber(0, mostSeconds), 30, milliseconds),
  /** Seconds idle before the first keepalive probe, and between probes; default 15, 0 = no keepalive. */
  tcp_keepalive: setting('tcpKeepaliveMs', wholeNumber(0, mostKeepaliveSeconds), 15, milliseconds),
  /** Unanswered probes until a peer counts as dead; default 3, 1 to 127. */
  tcp_keepalive_probe: setting('tcpKeepaliveProbes', wholeNumber(1, mostKeepaliveProbes), 3),
  /** Our own key: seconds without a byte either way after which a TCP connection ends; default 0 = never. */
  tcp_idle_timeout: ours(setting('tcpIdleTimeoutMs', wholeNumber(0, mostSeconds), 0, milliseconds)),
  /** Our own key: the same while one side has ended, where that is sooner; default 300, 0 = as `tcp_idle_timeout`. */
  tcp_half_close_timeout: ours(
    setting('tcpHalfCloseTimeoutMs', wholeNumber(0, mostSeconds), 300, milliseconds),
  ),
  /** Our own key: TCP connections that an endpoint serves at a time; default 0 = no limit. */
  max_connections: ours(setting('maxConnections', wholeNumber(0, mostConnections), 0)),
  /**
   * Our own key: TCP connections of an endpoint, waiting ones included, and UDP associations that one client may have: an
   * IPv4 address or an IPv6 /64; default 0 = no limit.
   */
  max_connections_per_client: ours(setting('maxConnectionsPerClient', wholeNumber(0, mostConnections), 0)),
  /** Our own key: TCP clients that wait beyond that, more are reset; default 1024. */
  max_waiting: ours(setting('maxWaiting', wholeNumber(0, mostWaiting), 1024)),
  /** Our own key: UDP associations of an endpoint; beyond, one is evicted; default 8192, 0 = no limit. */
  max_associations: ours(setting('maxAssociations', wholeNumber(0, mostAssociations), 8192)),
  /** Our own key: addresses and ranges of the clients that are served, others are turned away; default everybody. */
  allowed_sources: ours(setting('allowedSources', sources('serve every client'), [])),
};

const headerVersion: Conversion<number, 1 | 2> = {
  toSetting: (version) => (version === 1 ? 1 : 2),
  toFile: (version) => version,
};

/** Keys of the PROXY header towards the remote. */
const sendProxyKeys = {
  /** Begin each TCP connection to a remote with a PROXY header; default false. */
  send_proxy: setting('enabled', flag, false),
  /** Its version, 1 or 2; default 2. */
  send_proxy_version: setting('version', wholeNumber(1, 2), 2, headerVersion),
};

/** Keys of the PROXY headers of clients; all but the first become a field of `AcceptProxy` each. */
const acceptProxyKeys = {
  /** Expect a PROXY header, of either version, of each TCP client; default false. */
  accept_proxy: setting('enabled', flag, false),
  /** Seconds to receive it; default 5, 0 = no limit. */
  accept_proxy_timeout: setting('timeoutMs', wholeNumber(0, mostSeconds), 5, milliseconds),
  /** Our own key: addresses and ranges whose headers are believed, others are refused; default anyone. */
  accept_proxy_trusted: ours(setting('trustedSources', sources('trust everyone'), [])),
};

/** The keys of `network`, of the whole file or of one endpoint, that the relay acts on. */
export const networkKeys = { ...plainKeys, ...sendProxyKeys, ...acceptProxyKeys };

/** How PROXY headers of clients are taken; times of 0 = no limit, no sources = anyone's. */
export type AcceptProxy = Omit<Settings<typeof acceptProxyKeys>, 'enabled'>;

/**
 * The network settings of one endpoint: a field for each key of `networkKeys`, documented there, times in milliseconds.
 */
export type EndpointNetwork = Settings<typeof plainKeys> & {
  /** Version of the PROXY header towards the remote; absent = none. */
  readonly sendProxyVersion?: 1 | 2;
  /** Present where clients must begin with a PROXY header. */
  readonly acceptProxy?: AcceptProxy;
};

/** The settings that `network` asks for, defaults applied. */
export function endpointNetwork(network: Written<typeof networkKeys>): EndpointNetwork {
  const sendProxy = settingsOf(sendProxyKeys, network);
  const { enabled, ...acceptProxy } = settingsOf(acceptProxyKeys, network);
  return {
    ...settingsOf(plainKeys, network),
    ...(sendProxy.enabled && { sendProxyVersion: sendProxy.version }),
    ...(enabled && { acceptProxy }),
  };
}

/** Every key of the table that asks for the settings; the reverse of `endpointNetwork`. */
export function writtenNetwork({
  sendProxyVersion: version,
  acceptProxy,
  ...plain
}: EndpointNetwork): Required<Written<typeof networkKeys>> {
  return {
    ...writtenOf(plainKeys, plain),
    ...writtenOf(sendProxyKeys, { enabled: version !== undefined, ...(version && { version }) }),
    ...writtenOf(acceptProxyKeys, { enabled: acceptProxy !== undefined, ...acceptProxy }),
  };
}
