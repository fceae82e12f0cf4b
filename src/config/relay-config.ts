import type { SocketAddress } from './address.ts';
import type { Balance } from './balance.ts';
import type { DnsConfig } from './dns-config.ts';
import type { HealthCheck } from './health-check-keys.ts';
import type { LogConfig } from './log-config.ts';
import type { EndpointNetwork } from './network-keys.ts';
import type { PortConfig, PortRange } from './port-config.ts';
import type { ListenTransport, RemoteTransport } from './transport.ts';

/** What the relay runs: parsed, every default applied, in milliseconds. */
export type RelayConfig = {
  readonly log: LogConfig;
  /** Absent = names are looked up in the system's own way. */
  readonly dns?: DnsConfig;
  /** In the order in which they are bound: of two that conflict the first one wins. Names are unique. */
  readonly endpoints: readonly EndpointConfig[];
};

/** One listen address and its remotes. */
export type EndpointConfig = PortConfig &
  PortRange & {
    /** What status, log and metrics call it. */
    readonly name: string;
    readonly balance: Balance;
    readonly network: EndpointNetwork;
    /** Where to dial from, at any port where that is 0; absent = the system's choice. */
    readonly through?: SocketAddress;
    /** Addresses and ranges that it may not dial, by TCP, UDP or a health check; absent = none. */
    readonly deniedDestinations?: readonly string[];
    /** How its remotes are checked by TCP; absent = not. */
    readonly healthCheck?: HealthCheck;
    /** TLS and WebSocket towards TCP clients; absent = plain TCP. */
    readonly listenTransport?: ListenTransport;
    /** The same towards TCP remotes. */
    readonly remoteTransport?: RemoteTransport;
  };
