import type { IpAddress, IpFamily } from '../lib/ip-address.ts';
import type { LogLevel } from '../lib/log-level.ts';

/**
 * A relay, parsed: every default applied, every address parsed, the network of each endpoint complete.
 *
 * What is rendered depends on it alone, wherever it came from: the API server, a file, or another kind.
 */
export type Relay = {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    /** Of the object on the API server; absent where it came from a file. */
    readonly uid?: string;
  };
  readonly replicas: number;
  /** In the order of the manifest, at least one. */
  readonly endpoints: readonly Endpoint[];
  readonly service: Service;
  /** Image of the Pods, where the user chose one. */
  readonly image?: string;
  readonly resources: Resources;
  readonly logLevel: LogLevel;
  readonly drainSeconds: number;
  readonly updateStrategy: UpdateStrategy;
  readonly paused: boolean;
};

/** How a changed configuration reaches the Pods. */
export type UpdateStrategy = 'HotReload' | 'Rollout';

/** One listen address and its remotes. */
export type Endpoint = {
  readonly name: string;
  readonly listen: { readonly address: IpAddress; readonly port: number };
  readonly remotes: readonly Remote[];
  readonly balance: Balance;
  readonly network: Network;
  /** IP address in its canonical text. */
  readonly through?: string;
  readonly healthCheck?: HealthCheck;
  readonly listenTransport?: ListenTransport;
  readonly remoteTransport?: RemoteTransport;
};

/** What stands between TCP and the bytes that are relayed, towards the clients: at least one of both. */
export type ListenTransport = {
  readonly tls?: { readonly secretName: string; readonly clientCASecretName?: string };
  readonly webSocket?: WebSocketTarget;
};

/** The same towards the remotes. */
export type RemoteTransport = {
  readonly tls?: {
    readonly serverName: string;
    readonly caSecretName?: string;
    readonly clientSecretName?: string;
    readonly alpn: readonly string[];
    readonly insecure: boolean;
  };
  readonly webSocket?: WebSocketTarget;
};

/** What a WebSocket request asks for. */
export type WebSocketTarget = { readonly host: string; readonly path: string };

/** Checks of remotes by a TCP connect. */
export type HealthCheck = {
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
};

export type Remote = {
  /** IP address in its canonical text, or host name. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
};

export type Balance = 'RoundRobin' | 'IPHash' | 'Failover' | 'LeastConnections';

export type Network = {
  readonly ipv6Only: boolean;
  readonly tcp: boolean;
  readonly udp: boolean;
  readonly tcpTimeoutSeconds: number;
  readonly udpTimeoutSeconds: number;
  readonly tcpKeepaliveSeconds: number;
  readonly tcpKeepaliveProbes: number;
  readonly sendProxy: { readonly enabled: boolean; readonly version: number };
  readonly acceptProxy: {
    readonly enabled: boolean;
    readonly timeoutSeconds: number;
    /** IP addresses and ranges; none means anyone. */
    readonly trustedSources: readonly string[];
  };
  readonly tcpIdleTimeoutSeconds: number;
  readonly maxConnections: number;
  readonly maxWaiting: number;
};

export type Service = {
  readonly enabled: boolean;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  readonly ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  readonly ipFamilies?: readonly IpFamily[];
  readonly recreatePolicy: 'Never' | 'WhenNeeded';
  readonly annotations: Readonly<Record<string, string>>;
};

export type Resources = {
  readonly limits: Readonly<Record<string, number | string>>;
  readonly requests: Readonly<Record<string, number | string>>;
};
