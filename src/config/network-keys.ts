import { cappedNumber, flag, wholeNumber } from '../lib/document-rules.ts';
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

/** Maximum seconds of a timer of Node.js, which counts in milliseconds. */
export const maxSeconds = 2_147_483;

const maxKeepaliveSeconds = 32_767; // Linux: MAX_TCP_KEEPIDLE
const maxKeepaliveProbes = 127; // Linux: MAX_TCP_KEEPCNT
const maxDscp = 63; // RFC 2474: six bits
const maxConnections = 1_000_000;
const maxAssociations = 1_000_000;
const maxWaiting = 65_536;

/** Keys that each become a field of `EndpointNetwork`. */
const plainKeys = {
  /** Default false: listen on TCP. */
  no_tcp: setting('tcp', flag, false, negated),
  /** Default false: no UDP. */
  use_udp: setting('udp', flag, false),
  /** IPV6_V6ONLY of an IPv6 listening socket; default false: it serves IPv4, too. */
  ipv6_only: setting('ipv6Only', flag, false),
  /** Dial by Multipath TCP; default false. With the engine node, or a kernel without it, dials fail. */
  send_mptcp: setting('sendMptcp', flag, false),
  /** Accept clients of Multipath TCP beside those of TCP; default false. Where it is missing, listening fails. */
  accept_mptcp: setting('acceptMptcp', flag, false),
  /** Connect timeout in seconds, name lookup included; default 5, 0 = no limit. */
  tcp_timeout: setting('tcpTimeoutMs', cappedNumber(0, maxSeconds), 5, milliseconds),
  /** Seconds without a datagram after which an association ends; default 30, 0 = never. */
  udp_timeout: setting('udpTimeoutMs', cappedNumber(0, maxSeconds), 30, milliseconds),
  /** Seconds idle before the first keepalive probe, and between probes; default 15, 0 = no keepalive. */
  tcp_keepalive: setting('tcpKeepaliveMs', cappedNumber(0, maxKeepaliveSeconds), 15, milliseconds),
  /** Unanswered probes after which a peer counts as dead, 1 to 127; default 3. 0 is valid without keepalive only. */
  tcp_keepalive_probe: setting('tcpKeepaliveProbes', cappedNumber(0, maxKeepaliveProbes), 3),
  /**
   * Our own key: seconds that what was sent may stay unacknowledged before the connection is given up, at least as long as
   * keepalive takes; default 60, 0 = as the system has it. With the engine node it has no effect.
   */
  tcp_user_timeout: ours(setting('tcpUserTimeoutMs', wholeNumber(0, maxSeconds), 60, milliseconds)),
  /** Our own key: differentiated services code point of the packets to clients and remotes, 0 to 63; default 0. */
  dscp: ours(setting('dscp', wholeNumber(0, maxDscp), 0)),
  /** Our own key: seconds without a byte either way after which a TCP connection ends; default 0 = never. */
  tcp_idle_timeout: ours(setting('tcpIdleTimeoutMs', wholeNumber(0, maxSeconds), 0, milliseconds)),
  /** Our own key: the same for a half-closed connection, if that is sooner; default 300, 0 = as `tcp_idle_timeout`. */
  tcp_half_close_timeout: ours(
    setting('tcpHalfCloseTimeoutMs', wholeNumber(0, maxSeconds), 300, milliseconds),
  ),
  /** Our own key: TCP connections that an endpoint serves at a time; default 0 = no limit. */
  max_connections: ours(setting('maxConnections', wholeNumber(0, maxConnections), 0)),
  /**
   * Our own key: TCP connections of an endpoint, waiting ones included, and UDP associations that one client may have; a
   * client is an IPv4 address or an IPv6 /64; default 0 = no limit.
   */
  max_connections_per_client: ours(setting('maxConnectionsPerClient', wholeNumber(0, maxConnections), 0)),
  /** Our own key: TCP clients that may wait beyond that, further ones are reset; default 1024. */
  max_waiting: ours(setting('maxWaiting', wholeNumber(0, maxWaiting), 1024)),
  /**
   * Our own key: UDP associations of an endpoint; a new one beyond that evicts another; default 8192, 0 = no
   * limit.
   */
  max_associations: ours(setting('maxAssociations', wholeNumber(0, maxAssociations), 8192)),
  /** Our own key: addresses and ranges of clients to serve, all others are rejected; default: every client. */
  allowed_sources: ours(setting('allowedSources', sources('serve every client'), [])),
};

const headerVersion: Conversion<number, 1 | 2> = {
  toSetting: (version) => (version === 1 ? 1 : 2),
  toFile: (version) => version,
};

/** Keys of the PROXY header that is sent to remotes. */
const sendProxyKeys = {
  /** Begin each TCP connection to a remote with a PROXY header; default false. */
  send_proxy: setting('enabled', flag, false),
  /** Its version, 1 or 2; default 2. Another number is valid only if no header is sent. */
  send_proxy_version: setting('version', wholeNumber(0, Number.MAX_SAFE_INTEGER), 2, headerVersion),
  /** Our own key: begin each UDP association, too, with a header of version 2 in its first datagram; default false. */
  send_proxy_udp: ours(setting('udp', flag, false)),
  /** Our own key: put it before every datagram; default false. */
  send_proxy_every_datagram: ours(setting('everyDatagram', flag, false)),
};

/** Keys of the PROXY headers of clients; all but the first each become a field of `AcceptProxy`. */
const acceptProxyKeys = {
  /** Expect a PROXY header, of either version, from each TCP client; default false. */
  accept_proxy: setting('enabled', flag, false),
  /** Seconds to receive it; default 5, 0 = no limit. */
  accept_proxy_timeout: setting('timeoutMs', cappedNumber(0, maxSeconds), 5, milliseconds),
  /** Our own key: addresses and ranges whose headers are trusted, all others are rejected; default: every address. */
  accept_proxy_trusted: ours(setting('trustedSources', sources('trust everyone'), [])),
};

/** The keys of `network`, global or of one endpoint, that the relay supports. */
export const networkKeys = { ...plainKeys, ...sendProxyKeys, ...acceptProxyKeys };

/** How PROXY headers of clients are accepted; a timeout of 0 = no limit, no sources = from every address. */
export type AcceptProxy = Omit<Settings<typeof acceptProxyKeys>, 'enabled'>;

/**
 * The network settings of one endpoint: a field for each key of `networkKeys`, documented there, times in milliseconds.
 */
export type EndpointNetwork = Settings<typeof plainKeys> & {
  /** Version of the PROXY header that is sent to TCP remotes; absent = none. */
  readonly sendProxyVersion?: 1 | 2;
  /** Whether UDP remotes get a PROXY header, too; absent = no. */
  readonly sendProxyUdp?: true;
  /** Whether every datagram begins with that header, not only the first of an association; absent = no. */
  readonly sendProxyEveryDatagram?: true;
  /** Present if clients must begin with a PROXY header. */
  readonly acceptProxy?: AcceptProxy;
};

/** The settings of `network`, with defaults applied. */
export function endpointNetwork(network: Written<typeof networkKeys>): EndpointNetwork {
  const sendProxy = settingsOf(sendProxyKeys, network);
  const { enabled, ...acceptProxy } = settingsOf(acceptProxyKeys, network);
  return {
    ...settingsOf(plainKeys, network),
    ...(sendProxy.enabled && { sendProxyVersion: sendProxy.version }),
    ...(sendProxy.enabled && sendProxy.udp && { sendProxyUdp: true }),
    ...(sendProxy.enabled && sendProxy.everyDatagram && { sendProxyEveryDatagram: true }),
    ...(enabled && { acceptProxy }),
  };
}

/** The table that gives these settings, with every key; the inverse of `endpointNetwork`. */
export function writtenNetwork({
  sendProxyVersion: version,
  sendProxyUdp,
  sendProxyEveryDatagram,
  acceptProxy,
  ...plain
}: EndpointNetwork): Required<Written<typeof networkKeys>> {
  return {
    ...writtenOf(plainKeys, plain),
    ...writtenOf(sendProxyKeys, {
      enabled: version !== undefined,
      ...(version && { version }),
      udp: sendProxyUdp ?? false,
      everyDatagram: sendProxyEveryDatagram ?? false,
    }),
    ...writtenOf(acceptProxyKeys, { enabled: acceptProxy !== undefined, ...acceptProxy }),
  };
}
