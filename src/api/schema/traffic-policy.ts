import { z } from 'zod';
import { network } from './network.ts';
import { bounded, text } from './parts.ts';
import { endpoint } from './endpoint.ts';
import { apiVersion } from './realm-relay.ts';
import { condition } from './status.ts';

export const policyKind = 'RealmTrafficPolicy';
/** The resource's name in URLs. */
export const policyPlural = 'realmtrafficpolicies';

/** The kinds that a policy can target. */
const targetKinds = ['Gateway', 'TCPRoute', 'TLSRoute', 'UDPRoute'] as const;

/** `PolicyStatus` of the Gateway API has no room for more. */
export const maxAncestors = 16;

/** Which targets a field is for: Gateways and their listeners, or routes. A field that is in neither list is for both. */
const ofGateways = new Set<string>();
const ofRoutes = new Set<string>();

/** Whether the field at `path` of the spec, such as `network.acceptProxy`, has an effect on a target of `kind`. */
export function isFieldOf(path: string, kind: string): boolean {
  return kind === 'Gateway' ? !ofRoutes.has(path) : !ofGateways.has(path);
}

function forGateways<S extends z.ZodType>(path: string, schema: S): S {
  ofGateways.add(path);
  return schema.describe(`${schema.description ?? ''} Only of Gateways and listeners.`);
}

function forRoutes<S extends z.ZodType>(path: string, schema: S): S {
  ofRoutes.add(path);
  return schema.describe(`${schema.description ?? ''} Only of routes.`);
}

/** The network of an endpoint, without what the protocol of a listener decides. */
const { tcp: _tcp, udp: _udp, ...ofNetwork } = network.shape;

const policyNetwork = z.object({
  ...ofNetwork,
  ipv6Only: forGateways(
    'network.ipv6Only',
    ofNetwork.ipv6Only.describe('Closes the listener to IPv4 clients. Default: false.'),
  ),
  allowedSources: forGateways('network.allowedSources', ofNetwork.allowedSources),
  acceptProxy: forGateways('network.acceptProxy', ofNetwork.acceptProxy),
  maxConnections: forGateways('network.maxConnections', ofNetwork.maxConnections),
  maxConnectionsPerClient: forGateways('network.maxConnectionsPerClient', ofNetwork.maxConnectionsPerClient),
  maxWaiting: forGateways('network.maxWaiting', ofNetwork.maxWaiting),
  sendProxy: forRoutes('network.sendProxy', ofNetwork.sendProxy),
  tcpTimeoutSeconds: ofNetwork.tcpTimeoutSeconds.describe(
    'Time limit of dialling one endpoint of a backend. 0 means none. Default: 1. Unit: seconds.',
  ),
});

const targetRef = z.object({
  group: z.enum(['gateway.networking.k8s.io']).describe('API group of the target.'),
  kind: z.enum(targetKinds).describe('Kind of the target.'),
  name: text(253).describe('Name of the target, in the namespace of the policy.'),
  sectionName: text(253)
    .optional()
    .describe('Name of a listener of the Gateway. Default: every listener. Not with routes.'),
});

/** What the policy sets on its targets, as the user writes it. */
export const trafficPolicySchema = z.object({
  targetRefs: z
    .array(targetRef)
    .min(1)
    .max(maxAncestors)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('What the policy is about: Gateways, listeners, routes.'),
  endPort: forGateways(
    'endPort',
    bounded(
      1,
      65_535,
      'Last port of a range that begins with the port of the listener; the ports of the backends shift along. A Gateway has at most 512 ports in all, because each is a port of its Service. Default: the port of the listener.',
    ),
  ),
  network: policyNetwork
    .optional()
    .describe('Network settings of the listener, or of what the route relays.'),
  balance: forRoutes('balance', endpoint.shape.balance),
  through: forRoutes('through', endpoint.shape.through),
  healthCheck: forRoutes('healthCheck', endpoint.shape.healthCheck),
  backends: forRoutes(
    'backends',
    z
      .enum(['EndpointSlices', 'ClusterIP'])
      .optional()
      .describe(
        'What is dialled of a Service. EndpointSlices: its ready endpoints, without kube-proxy. ClusterIP: its cluster IP, so that its sessionAffinity, trafficDistribution and internalTrafficPolicy hold; of a headless Service its endpoints. Default: EndpointSlices.',
      ),
  ),
});

/** `PolicyStatus` of the Gateway API. */
export const trafficPolicyStatusSchema = z.object({
  ancestors: z
    .array(
      z.object({
        ancestorRef: z
          .object({
            group: z.string().max(253).optional().describe('API group of the target.'),
            kind: z.string().max(63).optional().describe('Kind of the target.'),
            namespace: z.string().max(63).optional().describe('Namespace of the target.'),
            name: z.string().max(253).describe('Name of the target.'),
            sectionName: z.string().max(253).optional().describe('Name of the listener.'),
            port: bounded(1, 65_535, 'Not used by this operator.'),
          })
          .describe('The target.'),
        controllerName: z.string().max(253).describe('The controller that wrote the entry.'),
        conditions: z
          .array(condition)
          .max(8)
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
          .describe(
            'Accepted: whether the policy is in effect on the target; if not, the reason is TargetNotFound, Conflicted, Invalid or UnsupportedValue.',
          ),
      }),
    )
    .max(maxAncestors)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('What became of the policy, for each target.'),
});

/** The whole object, as the API server has it. */
export const trafficPolicyObject = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(policyKind),
  spec: trafficPolicySchema,
});

export type TrafficPolicySpec = z.infer<typeof trafficPolicySchema>;
