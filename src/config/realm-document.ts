import type { ownStrategies } from './balance.ts';
import type { LogLevel } from '../lib/log-level.ts';

/**
 * The configuration file as it stands in JSON: Realm's own keys, spelling and units, so that the Rust
 * `realm` starts from it unchanged. Keys of our own stand beside them; Realm ignores what it does not know.
 */
export type RealmDocument = {
  readonly log?: RealmLog;
  readonly dns?: RealmDns;
  /** What holds for every endpoint that does not say otherwise. */
  readonly network?: RealmNetwork;
  /** In the order in which they are bound: of two that conflict the first one wins. */
  readonly endpoints: readonly RealmEndpoint[];
};

/** Realm's `[log]`. */
export type RealmLog = {
  /** Default `info` (Realm: `off`). */
  readonly level?: LogLevel;
  /** `stdout`, the default, `stderr`, or the path of a file, which is appended to. */
  readonly output?: string;
};

/** Realm's `[dns]`; where it says nothing, names are looked up in the system's own way. */
export type RealmDns = {
  readonly mode?: 'ipv4_only' | 'ipv6_only' | 'ipv4_and_ipv6' | 'ipv4_then_ipv6' | 'ipv6_then_ipv4';
  /** Default `tcp_and_udp`: UDP, and TCP for an answer that is cut; so is `udp`. */
  readonly protocol?: 'tcp' | 'udp' | 'tcp_and_udp';
  /** `HOST:PORT` each; default those of the system. */
  readonly nameservers?: readonly string[];
  /** Seconds that an answer is kept at least; default 0. */
  readonly min_ttl?: number;
  /** And at most; default 86,400. */
  readonly max_ttl?: number;
  /** Names whose answers are kept; default 32, 0 = none. */
  readonly cache_size?: number;
};

/** Realm's `[network]`, global or of one endpoint; what is absent falls back field by field. */
export type RealmNetwork = {
  /** Default false: listen on TCP. */
  readonly no_tcp?: boolean;
  /** Default false: no UDP. */
  readonly use_udp?: boolean;
  /** IPV6_V6ONLY of an IPv6 listening socket; default false: it takes the IPv4 port, too. */
  readonly ipv6_only?: boolean;
  /** Seconds to connect to a remote, name lookup included; default 5, 0 = no limit. */
  readonly tcp_timeout?: number;
  /** Seconds without a datagram after which an association ends; default 30, 0 = never. */
  readonly udp_timeout?: number;
  /** Seconds idle before the first keepalive probe, and between probes; default 15, 0 = no keepalive. */
  readonly tcp_keepalive?: number;
  /** Unanswered probes until a peer counts as dead; default 3, 1 to 127. */
  readonly tcp_keepalive_probe?: number;
  /** Our own key: seconds without a byte either way after which a TCP connection ends; default 0 = never. */
  readonly tcp_idle_timeout?: number;
  /** Our own key: the same while one side has ended; default 0 = as `tcp_idle_timeout`. */
  readonly tcp_half_close_timeout?: number;
  /** Our own key: TCP connections that an endpoint serves at a time; default 0 = no limit. */
  readonly max_connections?: number;
  /** Our own key: TCP clients that wait beyond that; default 1024. */
  readonly max_waiting?: number;
  /** Our own key: UDP associations of an endpoint; beyond, the one idle for longest ends; default 8192, 0 = no limit. */
  readonly max_associations?: number;
  /** Our own key: addresses and ranges of the clients that are served, others are turned away; default everybody. */
  readonly allowed_sources?: readonly string[];
  /** Begin each TCP connection to a remote with a PROXY header; default false. */
  readonly send_proxy?: boolean;
  /** Its version, 1 or 2; default 2. */
  readonly send_proxy_version?: number;
  /** Expect a PROXY header, of either version, of each TCP client; default false. */
  readonly accept_proxy?: boolean;
  /** Seconds to receive it; default 5, 0 = no limit. */
  readonly accept_proxy_timeout?: number;
  /** Our own key: addresses and ranges whose headers are believed, others are refused; default anyone. */
  readonly accept_proxy_trusted?: readonly string[];
};

/** One of Realm's `[[endpoints]]`. */
export type RealmEndpoint = {
  /** Our own key: what status, log and metrics call the endpoint; default: its `listen`. Unique. */
  readonly name?: string;
  /**
   * Our own key: this is one more port of the endpoint with that name, with remotes of its own; all else is as that one
   * says. To Realm, which does not know it, this is an endpoint like any other.
   */
  readonly range_of?: string;
  /** `192.0.2.1:80`, `[2001:db8::1]:80`, `host:80`. */
  readonly listen: string;
  /** The first remote, as `listen` is written. */
  readonly remote: string;
  /** The remotes after the first; tried in this order when one before fails. */
  readonly extra_remotes?: readonly string[];
  /** `off`, `roundrobin: 4, 2, 1` or `iphash: 1, 1`: one weight (0 to 255) per remote; default `off` = the first that works. */
  readonly balance?: string;
  /** Source address for dialling: `192.0.2.1`, `[2001:db8::1]`; a port is only taken as 0. */
  readonly through?: string;
  /** TLS and WebSocket towards the client, e.g. `tls;cert=FILE;key=FILE`, `ws;host=H;path=P`; default plain TCP. */
  readonly listen_transport?: string;
  /** The same towards the remotes, e.g. `tls;sni=NAME`. */
  readonly remote_transport?: string;
  /** Our own key: in place of the strategy in `balance`, with its weights; `leastconnections`. */
  readonly strategy?: (typeof ownStrategies)[number];
  /** Our own key: checks of every remote by a TCP connect; absent = none. */
  readonly health_check?: RealmHealthCheck;
  readonly network?: RealmNetwork;
};

/** Our own: how remotes are checked. */
export type RealmHealthCheck = {
  /** Seconds between two checks; default 10. */
  readonly interval?: number;
  /** Seconds that a connect may take, name lookup included; default 2. */
  readonly timeout?: number;
  /** Failures in a row after which a remote is tried last; default 3. */
  readonly unhealthy_threshold?: number;
  /** Successes in a row after which it has its place back; default 1. */
  readonly healthy_threshold?: number;
};
