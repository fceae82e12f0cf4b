import { z } from 'zod';
import { bounded, ipFamily, text } from './parts.ts';

/** A condition, in the shape of `metav1.Condition`. */
export const condition = z.object({
  type: text(316).describe('Accepted, Programmed, Ready, and Reconciling or Stalled while they hold.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  observedGeneration: z
    .int()
    .min(0)
    .max(2 ** 53 - 1)
    .optional()
    .describe('Generation of the spec that the condition is about.'),
  lastTransitionTime: z
    .string()
    .meta({ format: 'date-time' })
    .describe('When the status of the condition last changed.'),
  reason: text(1024).describe('Why, as one word for programs.'),
  message: z.string().max(32_768).describe('Why, for people, with the remedy.'),
});

const addressPort = z.object({
  port: z.int().min(1).max(65_535).describe('Port of the Service.'),
  protocol: z.enum(['TCP', 'UDP']).describe('Protocol of the port.'),
  error: text(316).optional().describe('What the load balancer reports to be wrong with it, as one word.'),
});

/** The status that the operator reports. */
export const statusSchema = z.object({
  observedGeneration: z
    .int()
    .min(-1)
    .max(2 ** 53 - 1)
    .optional()
    .describe('Generation of the spec that this status is about; -1 before the first.'),
  operator: text(316)
    .optional()
    .describe(
      'The installation of the operator that serves this RealmRelay: namespace and name of its lease, or outside a cluster the name of its host.',
    ),
  contender: text(316)
    .optional()
    .describe(
      'Another installation, which asks if the one in operator still runs; the latter removes it. Set only for a moment.',
    ),
  replicas: bounded(0, 2 ** 31 - 2, 'Relay Pods that exist.'),
  readyReplicas: bounded(0, 2 ** 31 - 2, 'Relay Pods that are ready.'),
  readyPods: z
    .string()
    .max(32)
    .optional()
    .describe('Relay Pods that are ready, and how many are wanted, e.g. 1/2, for kubectl get.'),
  updatedReplicas: bounded(
    0,
    2 ** 31 - 2,
    'Relay Pods that run the configuration of configHash, as they say themselves; absent while they cannot be asked.',
  ),
  selector: z
    .string()
    .max(1024)
    .optional()
    .describe('Label selector of the relay Pods, for the scale subresource.'),
  configHash: z
    .string()
    .max(64)
    .optional()
    .describe('SHA-256 of the relay configuration that was last applied, in hexadecimal.'),
  listening: z
    .string()
    .max(1024)
    .optional()
    .describe('What the endpoints listen on, in short, for kubectl get.'),
  addresses: z
    .array(
      z.object({
        family: ipFamily.optional().describe('IP family; absent for a host name.'),
        address: z.string().max(253).describe('Address or host name.'),
        ports: z
          .array(addressPort)
          .max(512)
          .optional()
          .describe('What the load balancer reports of its ports, if it does.'),
      }),
    )
    .max(64)
    .optional()
    .describe(
      'Where clients reach the relay: the addresses and host names of its load balancer, else its cluster IPs.',
    ),
  addressSummary: z
    .string()
    .max(1024)
    .optional()
    .describe('The addresses in short, for kubectl get; <pending> while a load balancer has none.'),
  endpoints: z
    .array(
      z.object({
        name: z.string().max(15).describe('Name of the endpoint.'),
        listen: z.string().max(64).describe('Address and port, or range of ports, it listens on.'),
        families: z.array(ipFamily).max(2).describe('IP families whose clients it serves.'),
        protocols: z
          .array(z.enum(['TCP', 'UDP']))
          .max(2)
          .describe('Protocols that it relays.'),
        ready: z
          .boolean()
          .optional()
          .describe(
            'Whether relay Pods serve it, and none reports a fault; absent while they cannot be asked.',
          ),
        message: z
          .string()
          .max(4096)
          .optional()
          .describe(
            'Why a Pod does not serve it, with the name of the Pod and the remedy; empty where all is well.',
          ),
      }),
    )
    .max(64)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('What became of each endpoint.'),
  conditions: z
    .array(condition)
    .max(16)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe(
      'Accepted: the spec is valid. Programmed: the objects are applied. Ready: every wanted Pod serves.',
    ),
});
