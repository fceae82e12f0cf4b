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
  readonly podTemplate: PodTemplate;
  readonly workload: Workload;
  /** Absent where `replicas` holds. */
  readonly autoscaling?: Autoscaling;
  /** Absent where there shall be none. */
  readonly podDisruptionBudget?: PodDisruptionBudget;
  readonly networkPolicy: NetworkPolicy;
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
  readonly listen: {
    readonly address: IpAddress;
    readonly port: number;
    /** The last port of a range; absent where there is one port. */
    readonly endPort?: number;
  };
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
  /** Where the first port of the endpoint goes. */
  readonly port: number;
  /** Whether its other ports go there, too; else the port shifts along with them. */
  readonly fixedPort: boolean;
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
  /** IP addresses and ranges; none means everybody. */
  readonly allowedSources: readonly string[];
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
  readonly labels: Readonly<Record<string, string>>;
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  readonly loadBalancerClass?: string;
  /** Ranges in CIDR notation; none means everyone. */
  readonly loadBalancerSourceRanges: readonly string[];
  readonly sessionAffinity?: 'None' | 'ClientIP';
  /** By the name of the endpoint. */
  readonly nodePorts: Readonly<Record<string, number>>;
};

export type Resources = {
  readonly limits: Readonly<Record<string, number | string>>;
  readonly requests: Readonly<Record<string, number | string>>;
};

/** What the user adds to the Pods. */
export type PodTemplate = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly object[];
  /** As the API has it; what it requires of nodes is read here, too. */
  readonly affinity: { readonly nodeAffinity?: NodeAffinity | undefined };
  /** Absent where the default shall hold. */
  readonly topologySpreadConstraints?: readonly {
    readonly topologyKey: string;
    readonly whenUnsatisfiable: string;
    readonly labelSelector?: object | undefined;
  }[];
  /** Names of Secrets. */
  readonly imagePullSecrets: readonly string[];
  readonly priorityClassName?: string;
  readonly serviceAccountName?: string;
};

/** Of which the terms that are required are read: one of them must hold. */
type NodeAffinity = {
  readonly requiredDuringSchedulingIgnoredDuringExecution?:
    { readonly nodeSelectorTerms: readonly NodeTerm[] } | undefined;
};

/** All of it must hold. */
type NodeTerm = {
  readonly matchExpressions?: readonly NodeRequirement[] | undefined;
  readonly matchFields?: readonly NodeRequirement[] | undefined;
};

/** What a node's label, or a field of it, must be like. */
export type NodeRequirement = {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values?: readonly string[] | undefined;
};

/** How many Pods may be away at a time: a number, or a share such as 25%. */
export type PodDisruptionBudget = { readonly maxUnavailable: number | string };

export type NetworkPolicy = {
  readonly enabled: boolean;
  /** Peers as the API has them; none means everyone. */
  readonly allowFrom: readonly object[];
};

/** What runs the Pods. */
export type Workload = { readonly kind: 'Deployment' | 'DaemonSet'; readonly hostNetwork: boolean };

export type Autoscaling = {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly targetCPUUtilizationPercentage: number;
};
