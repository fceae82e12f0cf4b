import type { RealmBackend } from './backends.ts';
import type { ownStrategies } from './balance.ts';
import type { dnsKeys } from './dns-config.ts';
import type { healthCheckKeys, UdpCheckConfig } from './health-check-keys.ts';
import type { Written } from './key-table.ts';
import type { logKeys } from './log-config.ts';
import type { networkKeys } from './network-keys.ts';

/**
 * The configuration file as JSON, with Realm's own keys, spelling and units, so that the Rust `realm` starts from it
 * unchanged. It also has keys of our own; Realm ignores keys that it does not know.
 */
export type RealmDocument = {
  readonly log?: RealmLog;
  readonly dns?: RealmDns;
  /** The network settings of endpoints that do not override them. */
  readonly network?: RealmNetwork;
  /** Our own key: addresses and ranges that no endpoint may dial, held against what names resolve to; default none. */
  readonly denied_destinations?: readonly string[];
  /** In the order in which they are bound: of two that conflict the first one wins. */
  readonly endpoints: readonly RealmEndpoint[];
};

/** Realm's `[log]`; `logKeys` documents its keys. */
type RealmLog = Written<typeof logKeys>;

/** Realm's `[dns]`; `dnsKeys` documents its keys. */
export type RealmDns = Omit<Written<typeof dnsKeys>, 'nameservers'> & {
  /** `HOST:PORT` each; default: those of the system. */
  readonly nameservers?: readonly string[];
};

/**
 * Realm's `[network]`, global or of one endpoint; an endpoint inherits each key that it does not set. `networkKeys`
 * documents its keys.
 */
export type RealmNetwork = Written<typeof networkKeys>;

/** Our own table: how remotes are checked; `healthCheckKeys` documents its keys, `udpCheck` the check by UDP. */
export type RealmHealthCheck = Written<typeof healthCheckKeys> & { readonly udp?: UdpCheckConfig };

/** Our own table: which clients of TLS an endpoint serves. */
export type RealmSni = {
  /** `a.example`, or `*.b.example` for every name below b.example; default: every name that no other endpoint of `listen` has. */
  readonly hosts?: readonly string[];
};

/** One of Realm's `[[endpoints]]`. */
export type RealmEndpoint = {
  /** Our own key: the unique name of the endpoint in status, log and metrics; default: its `listen`. */
  readonly name?: string;
  /**
   * Our own key: adds this port, with its own remotes, to the endpoint with that name, which sets everything else. Realm
   * ignores the key and runs a separate endpoint.
   */
  readonly range_of?: string;
  /** `192.0.2.1:80`, `[2001:db8::1]:80`, `host:80`. */
  readonly listen: string;
  /**
   * Our own key: the last port of a range that begins with the port of `listen`. The ports of the remotes shift along. Realm
   * ignores the key and serves the first port.
   */
  readonly listen_end_port?: number;
  /**
   * Our own key: for each remote, in the order of `remote` and `extra_remotes`, whether every port of the range goes to its
   * one port; default false.
   */
  readonly fixed_remote_ports?: readonly boolean[];
  /**
   * Our own key: serves only the clients of TLS that ask for certain names, so that several endpoints share `listen`. Realm
   * ignores the key, and spreads the clients over these endpoints at random.
   */
  readonly sni?: RealmSni;
  /** The first remote, written like `listen`. */
  readonly remote: string;
  /** The other remotes, tried in this order if the previous ones fail. */
  readonly extra_remotes?: readonly string[];
  /** `off`, `roundrobin: 4, 2, 1` or `iphash: 1, 1`: one weight per remote; default `off` = the first that works. */
  readonly balance?: string;
  /** Source address for dialling: `192.0.2.1`, `[2001:db8::1]`; a port other than 0 gives a warning. */
  readonly through?: string;
  /** Network interface that dials and datagrams leave by; default: the system's choice. */
  readonly interface?: string;
  /** Network interface whose clients are served; default: every one. */
  readonly listen_interface?: string;
  /** TLS and WebSocket towards the client, e.g. `tls;cert=FILE;key=FILE`, `ws;host=H;path=P`; default plain TCP. */
  readonly listen_transport?: string;
  /** The same towards the remotes, e.g. `tls;sni=NAME`. */
  readonly remote_transport?: string;
  /** Our own key: replaces the strategy of `balance` and uses its weights; `leastconnections`. */
  readonly strategy?: (typeof ownStrategies)[number];
  /**
   * Our own key: groups of remotes that share the clients by weight, or turn their share away; default: one group of all. The
   * strategy and `balance` apply within each. Realm ignores the key and follows `balance`.
   */
  readonly backends?: readonly RealmBackend[];
  /** Our own key: checks of every remote by a TCP connect or a datagram; absent = none. */
  readonly health_check?: RealmHealthCheck;
  readonly network?: RealmNetwork;
};
