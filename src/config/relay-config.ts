import type { SocketAddress } from './address.ts';
import type { LogLevel } from './realm-document.ts';

/** What the relay runs: parsed, every default applied, in milliseconds. */
export type RelayConfig = {
  readonly log: { readonly level: LogLevel };
  /** In the order in which they are bound: of two that conflict the first one wins. Names are unique. */
  readonly endpoints: readonly EndpointConfig[];
};

/** One listen address and its remotes. */
export type EndpointConfig = {
  /** What status, log and metrics call it. */
  readonly name: string;
  readonly listen: SocketAddress;
  /** At least one; the order in which `balance: off` tries them. */
  readonly remotes: readonly SocketAddress[];
  readonly balance: Balance;
  readonly network: EndpointNetwork;
};

/** How the remote of a new connection is chosen; those after it in the order follow when it fails. */
export type Balance = {
  /** `off`: in the order given (a RealmRelay's Failover). */
  readonly strategy: 'off' | 'roundrobin' | 'iphash';
  /** One weight (0 to 255) per remote, in their order; 0 = only when the others fail. All 1 where none are given. */
  readonly weights: readonly number[];
};

/** The network settings of one endpoint: its own over the global ones over the defaults, field by field. */
export type EndpointNetwork = {
  readonly tcp: boolean;
  readonly udp: boolean;
  /** IPV6_V6ONLY of its IPv6 listening sockets. */
  readonly ipv6Only: boolean;
  /** Time to connect to a remote, name lookup included; 0 = no limit. */
  readonly tcpTimeoutMs: number;
  /** Idle time after which a UDP association ends; 0 = never. */
  readonly udpTimeoutMs: number;
  /** Idle time before the first keepalive probe, and between probes; 0 = no keepalive. */
  readonly tcpKeepaliveMs: number;
  /** Unanswered probes until a peer counts as dead. */
  readonly tcpKeepaliveProbes: number;
};
