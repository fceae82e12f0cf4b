import type { IpAddress } from '../lib/ip-address.ts';
import type { LogLevel } from '../lib/log-level.ts';
import type { Sni } from './sni.ts';
import type { EndpointSpec } from './schema/endpoint.ts';
import type { NetworkSpec, RealmRelaySpec, ServiceSpec } from './schema/realm-relay.ts';

/** `Spec` with nothing left out: each field has what the user wrote, or its default. Lists are as they were written. */
type Complete<Spec> = Spec extends readonly (infer Item)[]
  ? readonly Item[]
  : Spec extends object
    ? { readonly [Field in keyof Spec]-?: Complete<Exclude<Spec[Field], undefined>> }
    : Spec;

/** The same, except for the fields `Optional`, which have no default and may be absent. */
type CompleteBut<Spec, Optional extends keyof Spec> = Complete<Omit<Spec, Optional>> &
  Partial<Complete<Pick<Spec, Optional>>>;

/**
 * A relay, parsed: every default applied, every address parsed, the network of each endpoint complete.
 *
 * The only input of rendering, whatever it was parsed from: an object of the API server, a file, or another kind.
 */
export type Relay = {
  /** The objects of the relay are called `name`, or that and a suffix. */
  readonly metadata: { readonly name: string; readonly namespace: string };
  /** The object on the API server that the relay was made of, which owns its objects; absent if it came from a file. */
  readonly owner?: Owner;
  readonly replicas: number;
  /** In the order of the manifest; a RealmRelay has at least one. */
  readonly endpoints: readonly Endpoint[];
  readonly service: Service;
  /** The ports of the Service, if they are not those of the endpoints: no field of a RealmRelay sets them. */
  readonly servicePorts?: readonly ServicePort[];
  /** The address that the load balancer is asked for; no field of a RealmRelay sets it, either. */
  readonly loadBalancerIP?: string;
  /** Image of the Pods, if the user chose one. */
  readonly image?: string;
  readonly resources: Resources;
  readonly podTemplate: PodTemplate;
  /** Of every object. */
  readonly commonMetadata: Complete<NonNullable<RealmRelaySpec['commonMetadata']>>;
  readonly workload: Workload;
  /** Absent if `replicas` sets the number of Pods. */
  readonly autoscaling?: Autoscaling;
  /** Absent if the user wants none. */
  readonly podDisruptionBudget?: PodDisruptionBudget;
  readonly networkPolicy: NetworkPolicy;
  readonly logLevel: LogLevel;
  /** Threads of each Pod that serve clients. */
  readonly workers: number;
  readonly drainSeconds: number;
  readonly updateStrategy: UpdateStrategy;
  readonly paused: boolean;
  /** Addresses and ranges that its Pods may not dial, of the platform: no field of a RealmRelay sets it. Absent = none. */
  readonly deniedDestinations?: readonly string[];
  /** Whether the platform chooses the user and the group of its Pods; no field of a RealmRelay sets it, either. */
  readonly omitUserIds?: boolean;
};

/** An object of the namespace of the relay: what identifies it in the owner references of others. */
export type Owner = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
};

/** A port of the Service. */
export type ServicePort = { readonly port: number; readonly protocol: 'TCP' | 'UDP' };

/** How a changed configuration reaches the Pods. */
export type UpdateStrategy = NonNullable<RealmRelaySpec['updateStrategy']>;

/**
 * A group of remotes that takes a share of the clients by its weight, and fails over only within itself; or one that turns its
 * share away.
 */
export type Backend =
  | {
      /** 1 to 1,000,000. */
      readonly weight: number;
      /** Positions in the `remotes` of the endpoint, from 0: at least one, and each once. */
      readonly remotes: readonly number[];
    }
  | { readonly weight: number; readonly refuse: true };

/** One listen address and its remotes. */
export type Endpoint = {
  readonly name: string;
  readonly listen: {
    readonly address: IpAddress;
    readonly port: number;
    /** The last port of a range; absent for a single port. */
    readonly endPort?: number;
  };
  readonly remotes: readonly Remote[];
  /** The names of its TLS clients; absent = every client of its port. */
  readonly sni?: Sni;
  /** Absent = one of all remotes; no field of a RealmRelay sets it. */
  readonly backends?: readonly Backend[];
  readonly balance: Balance;
  readonly network: Network;
  /** IP address in its canonical text. */
  readonly through?: string;
  readonly healthCheck?: HealthCheck;
  readonly listenTransport?: ListenTransport;
  readonly remoteTransport?: RemoteTransport;
};

type ListenTransportSpec = NonNullable<EndpointSpec['listenTransport']>;
type RemoteTransportSpec = NonNullable<EndpointSpec['remoteTransport']>;

/** The layers between TCP and the relayed bytes, towards the clients: at least one of them. */
export type ListenTransport = {
  readonly tls?: CompleteBut<NonNullable<ListenTransportSpec['tls']>, 'clientCASecretName'> & {
    /** Whether Pods start, and serve other endpoints, without the Secrets; no field of a RealmRelay sets it. */
    readonly isOptional?: true;
  };
  readonly webSocket?: WebSocketSettings;
};

/** The same towards the remotes. */
export type RemoteTransport = {
  readonly tls?: CompleteBut<NonNullable<RemoteTransportSpec['tls']>, 'caSecretName' | 'clientSecretName'>;
  readonly webSocket?: WebSocketSettings;
};

/** The host and path of a WebSocket request, and its pings; the relay program has the defaults of those. */
export type WebSocketSettings = CompleteBut<
  NonNullable<RemoteTransportSpec['webSocket']>,
  'pingIntervalSeconds' | 'pingTimeoutSeconds'
>;

/** Checks of remotes by a TCP connect. */
export type HealthCheck = Complete<Omit<NonNullable<EndpointSpec['healthCheck']>, 'udp'>> & {
  /** Absent if the outcome of a TCP connect counts for UDP, too. */
  readonly udp?: UdpCheck;
};

/** A check by a datagram. */
export type UdpCheck = {
  readonly send: string;
  /** Absent if any answer will do. */
  readonly expect?: string;
};

/** Where connections are relayed to; `address` is an IP address in its canonical text, or a host name. */
export type Remote = Complete<EndpointSpec['remotes'][number]>;

export type Balance = NonNullable<EndpointSpec['balance']>;

/** The network of an endpoint: its own over that of the spec over the defaults. */
export type Network = Complete<NetworkSpec>;

/** The Service; an absent field is the cluster's choice, or follows from the endpoints. */
export type Service = CompleteBut<
  ServiceSpec,
  'ipFamilyPolicy' | 'ipFamilies' | 'externalTrafficPolicy' | 'loadBalancerClass' | 'sessionAffinity'
>;

export type Resources = Complete<NonNullable<RealmRelaySpec['resources']>>;

/** The user's additions to the Pods. */
export type PodTemplate = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly object[];
  /** As in the API of Kubernetes; the operator reads only the required node affinity. */
  readonly affinity: { readonly nodeAffinity?: NodeAffinity | undefined };
  /** Absent if the default applies. */
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

/** Only the required terms are read; a node must match one of them. */
type NodeAffinity = {
  readonly requiredDuringSchedulingIgnoredDuringExecution?:
    { readonly nodeSelectorTerms: readonly NodeTerm[] } | undefined;
};

/** A node must meet all requirements of a term. */
type NodeTerm = {
  readonly matchExpressions?: readonly NodeRequirement[] | undefined;
  readonly matchFields?: readonly NodeRequirement[] | undefined;
};

/** A requirement on a label or a field of a node. */
export type NodeRequirement = {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';
  readonly values?: readonly string[] | undefined;
};

/** How many Pods may be unavailable at a time: a number, or a share such as 25%. */
export type PodDisruptionBudget = Complete<NonNullable<RealmRelaySpec['podDisruptionBudget']>>;

/** The clients that may reach the Pods; no peers means every client. */
export type NetworkPolicy = Complete<NonNullable<RealmRelaySpec['networkPolicy']>>;

/** The kind of workload that runs the Pods. */
export type Workload = Complete<NonNullable<RealmRelaySpec['workload']>>;

export type Autoscaling = Complete<NonNullable<RealmRelaySpec['autoscaling']>>;
