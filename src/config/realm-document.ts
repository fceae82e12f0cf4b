import type { ownStrategies } from './balance.ts';
import type { dnsKeys } from './dns-config.ts';
import type { healthCheckKeys } from './health-check-keys.ts';
import type { Written } from './key-table.ts';
import type { logKeys } from './log-config.ts';
import type { networkKeys } from './network-keys.ts';

/**
 * The configuration file as it stands in JSON: Realm's own keys, spelling and units, so that the Rust
 * `realm` starts from it unchanged. Keys of our own stand beside them; Realm ignores what it does not know.
 */
export type RealmDocument = {
  readonly log?: RealmLog;
  readonly dns?: RealmDns;
  /** What holds for every endpoint that does not say otherwise. */
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
  /** `HOST:PORT` each; default those of the system. */
  readonly nameservers?: readonly string[];
};

/** Realm's `[network]`, global or of one endpoint; what is absent falls back field by field. `networkKeys` documents its keys. */
export type RealmNetwork = Written<typeof networkKeys>;

/** Our own: how remotes are checked; `healthCheckKeys` documents its keys. */
export type RealmHealthCheck = Written<typeof healthCheckKeys>;

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
