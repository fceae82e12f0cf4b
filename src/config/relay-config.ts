import type { Sni } from '../api/sni.ts';
import type { Backend } from '../api/relay.ts';
import type { SocketAddress } from './address.ts';
import type { BalanceConfig } from './balance.ts';
import type { DnsConfig } from './dns-config.ts';
import type { HealthCheckConfig } from './health-check-keys.ts';
import type { LogConfig } from './log-config.ts';
import type { EndpointNetwork } from './network-keys.ts';
import type { PortConfig, PortRange } from './port-config.ts';
import type { ListenTransportConfig, RemoteTransportConfig } from './transport.ts';

/** The configuration that the relay runs: parsed, with every default applied and times in milliseconds. */
export type RelayConfig = {
  readonly log: LogConfig;
  /** Absent = the system's resolver looks names up. */
  readonly dns?: DnsConfig;
  /** In the order in which they are bound: of two that conflict the first one wins. Names are unique. */
  readonly endpoints: readonly EndpointConfig[];
};

/** One listen address and its remotes. */
export type EndpointConfig = PortConfig &
  PortRange & {
    /** Its name in status, log and metrics. */
    readonly name: string;
    /** The clients of TLS that it serves; absent = every client. */
    readonly sni?: Sni;
    readonly balance: BalanceConfig;
    /** Groups of remotes that share the clients by weight, within which `balance` applies; absent = one of all. */
    readonly backends?: readonly Backend[];
    readonly network: EndpointNetwork;
    /** The source address for dialling, any port if its port is 0; absent = the system's choice. */
    readonly through?: SocketAddress;
    /** The network interface that dials and datagrams to remotes leave by; absent = the system's choice. */
    readonly dialDevice?: string;
    /** The network interface whose clients are served; absent = every one. */
    readonly listenDevice?: string;
    /** Addresses and ranges that it may not dial, by TCP, UDP or a health check; absent = none. */
    readonly deniedDestinations?: readonly string[];
    /** How its remotes are checked; absent = not at all. */
    readonly healthCheck?: HealthCheckConfig;
    /** TLS and WebSocket towards TCP clients; absent = plain TCP. */
    readonly listenTransport?: ListenTransportConfig;
    /** The same towards TCP remotes. */
    readonly remoteTransport?: RemoteTransportConfig;
  };
