import type { Condition } from '../api/schema/realm-relay.ts';

// The fields that are read of each kind. The CRDs of the Gateway API and the API server validate them, so absent fields are
// expected here and malformed ones are not.

/** The API group of the Gateway API. */
export const gatewayGroup = 'gateway.networking.k8s.io';

/** `spec.controllerName` of the GatewayClasses that this operator serves. */
export const controllerName = 'realm-operator.dev/gateway-controller';

/** Labels or annotations. */
export type Labels = Readonly<Record<string, string>>;

type Meta = {
  readonly name: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Labels;
};
/** The metadata of a namespaced object. */
export type NamespacedMeta = Meta & { readonly namespace: string };

/** A reference to the settings of an implementation. */
export type ParametersRef = {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** Only in a GatewayClass; a Gateway refers to its own namespace. */
  readonly namespace?: string;
};

/** A GatewayClass. */
export type GatewayClass = {
  readonly metadata: Meta;
  readonly spec: { readonly controllerName: string; readonly parametersRef?: ParametersRef };
  readonly status?: { readonly conditions?: readonly Condition[] };
};

/** A kind of route, as a listener names it; the group is that of the Gateway API if absent. */
export type RouteGroupKind = { readonly group?: string; readonly kind: string };

/** A label selector. */
export type LabelSelector = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

/** Where the certificate of a listener is; a Secret of the namespace of the Gateway if absent. */
export type CertificateRef = {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
};

/** A listener of a Gateway. */
export type Listener = {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  /** The names of clients, exact or `*.` and a name; absent or empty = every one. */
  readonly hostname?: string;
  readonly tls?: {
    readonly mode?: string;
    readonly certificateRefs?: readonly CertificateRef[];
    readonly options?: Labels;
  };
  readonly allowedRoutes?: {
    readonly kinds?: readonly RouteGroupKind[];
    readonly namespaces?: { readonly from?: string; readonly selector?: LabelSelector };
  };
};

/** An address of a Gateway, asked for or assigned. */
export type GatewayAddress = { readonly type?: string; readonly value?: string };

/** The status of one listener. */
export type ListenerStatus = {
  readonly name: string;
  readonly supportedKinds?: readonly RouteGroupKind[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
};

/** The status of a Gateway. */
export type GatewayStatus = {
  readonly addresses?: readonly GatewayAddress[];
  readonly conditions?: readonly Condition[];
  readonly listeners?: readonly ListenerStatus[];
};

/** A Gateway. */
export type Gateway = {
  readonly metadata: NamespacedMeta;
  readonly spec: {
    readonly gatewayClassName: string;
    readonly listeners: readonly Listener[];
    readonly addresses?: readonly GatewayAddress[];
    readonly infrastructure?: {
      readonly labels?: Labels;
      readonly annotations?: Labels;
      readonly parametersRef?: ParametersRef;
    };
  };
  readonly status?: GatewayStatus;
};

/** What a route wants to be attached to. */
export type ParentRef = {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
};

/** Where a route relays to. */
export type BackendRef = {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly port?: number;
  readonly weight?: number;
};

/** What one controller reports about a route and one of its parents. */
export type RouteParentStatus = {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
};

/** The kinds of routes that are served. */
export const routeKinds = ['TCPRoute', 'TLSRoute', 'UDPRoute'] as const;
export type RouteKind = (typeof routeKinds)[number];

/** Whether `kind` is one of those. */
export function isRouteKind(kind: string): kind is RouteKind {
  return (routeKinds as readonly string[]).includes(kind);
}

/** A TCPRoute, TLSRoute or UDPRoute. */
export type Route = {
  readonly kind: RouteKind;
  readonly metadata: NamespacedMeta;
  readonly spec: {
    readonly parentRefs?: readonly ParentRef[];
    /** Only of a TLSRoute. */
    readonly hostnames?: readonly string[];
    readonly rules?: readonly { readonly backendRefs?: readonly BackendRef[] }[];
  };
  readonly status?: { readonly parents?: readonly RouteParentStatus[] };
};

/** A ReferenceGrant. */
export type ReferenceGrant = {
  readonly metadata: NamespacedMeta;
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
  };
};

/** A Service that a route may relay to. */
export type BackendService = {
  readonly metadata: NamespacedMeta;
  readonly spec: {
    readonly type?: string;
    readonly ipFamilies?: readonly string[];
    /** `None` for a headless Service. */
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly {
      readonly name?: string;
      readonly port: number;
      readonly protocol?: string;
    }[];
  };
};

/** One endpoint of an EndpointSlice; absent conditions count as `ready` and `serving`. */
export type SliceEndpoint = {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  readonly targetRef?: { readonly uid?: string };
};

/** An EndpointSlice. */
export type EndpointSlice = {
  readonly metadata: NamespacedMeta;
  readonly addressType: string;
  readonly ports?:
    readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
  readonly endpoints?: readonly SliceEndpoint[] | null;
};

/** What a RealmTrafficPolicy is about: a Gateway, one of its listeners, or a route, in the namespace of the policy. */
export type PolicyTarget = {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
  /** The name of a listener. */
  readonly sectionName?: string;
};

/** What one controller reports about a policy and one of its targets. */
export type PolicyAncestorStatus = {
  readonly ancestorRef: Omit<PolicyTarget, 'group' | 'kind'> & Partial<PolicyTarget> & { namespace?: string };
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
};

/** A RealmTrafficPolicy, whose spec is not validated. */
export type TrafficPolicy = {
  readonly metadata: NamespacedMeta;
  readonly spec?: unknown;
  readonly status?: { readonly ancestors?: readonly PolicyAncestorStatus[] };
};

/** What the decisions about Gateways and routes look up. */
export type Lookup = {
  readonly service: (namespace: string, name: string) => BackendService | undefined;
  /** The EndpointSlices of a Service. */
  readonly slices: (namespace: string, service: string) => readonly EndpointSlice[];
  /** The ReferenceGrants in a namespace. */
  readonly grants: (namespace: string) => readonly ReferenceGrant[];
  /** The RealmGatewayParameters of this name, not validated; undefined if it does not exist. */
  readonly parameters: (namespace: string, name: string) => unknown;
  /** The RealmTrafficPolicies that target the object of this kind, or a part of it. */
  readonly policies: (kind: string, namespace: string, name: string) => readonly TrafficPolicy[];
  /** The labels of a namespace; undefined if it is not known. */
  readonly namespaceLabels: (namespace: string) => Labels | undefined;
};
