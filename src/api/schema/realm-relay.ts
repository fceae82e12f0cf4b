import { z } from 'zod';
import { logLevels } from '../../lib/log-level.ts';
import { maxWorkers } from '../../lib/max-workers.ts';
import { checkedEndpoint } from './endpoint.ts';
import { network } from './network.ts';
import { podTemplate } from './pod-template.ts';
import { bounded, flag, seconds, text } from './parts.ts';
import { strings } from './selector.ts';
import { service } from './service.ts';
import { statusSchema } from './status.ts';
import { autoscaling, networkPolicy, podDisruptionBudget, workload } from './workload.ts';

/** API group of RealmRelay. */
export const group = 'realm-operator.dev';
/** API version of RealmRelay. */
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;
export const kind = 'RealmRelay';
/** The resource's name in URLs. */
export const plural = 'realmrelays';

/** Maximum length of a RealmRelay's name: names derived from it must fit into a label of 63 characters. */
export const maxNameLength = 56;

const quantityPattern = /^[0-9]+([.][0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;
const quantityRemedy = 'use a quantity such as 100m or 64Mi';
const quantity = z
  .union([z.int().min(0), z.string().regex(quantityPattern, quantityRemedy)], quantityRemedy)
  .meta({ 'x-kubernetes-int-or-string': true, pattern: quantityPattern.source });

const resources = z.object({
  limits: z
    .record(z.string(), quantity)
    .optional()
    .meta({ maxProperties: 16 })
    .describe('Most that the container may use, e.g. memory: 128Mi.'),
  requests: z
    .record(z.string(), quantity)
    .optional()
    .meta({ maxProperties: 16 })
    .describe('What the container is guaranteed, e.g. cpu: 100m.'),
});

/** The spec as the user writes it. Fields are optional and have no defaults here: `resolve` applies them once. */
export const specSchema = z.object({
  replicas: bounded(0, 1000, 'Number of relay Pods; the scale subresource writes it. Default: 1.'),
  network: network.optional().describe('Network settings of every endpoint that does not override them.'),
  endpoints: z
    .array(checkedEndpoint)
    .min(1)
    .max(64)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('What the relay listens on, and where it relays to: 1 to 64 endpoints.'),
  service: service.optional().describe('The Service in front of the relay Pods.'),
  image: text(512)
    .optional()
    .describe('Image of the relay Pods. Default: the relay image that the operator is configured with.'),
  resources: resources
    .optional()
    .describe(
      'Compute resources of the relay container. Default: a memory request of 64Mi and a memory limit of 256Mi (256Mi and 1Gi for a relay of more than 512 ports), unless requests or limits give memory.',
    ),
  podTemplate: podTemplate.optional().describe('What is added to the relay Pods.'),
  commonMetadata: z
    .object({
      labels: strings('Labels of every object, beside those of the operator, which win.'),
      annotations: strings('Annotations of every object, beside those of the operator, which win.'),
    })
    .optional()
    .describe(
      'Labels and annotations of every object that the operator makes for the relay, Pods included; a change replaces the Pods. Those of service and podTemplate win.',
    ),
  logLevel: z
    .enum(logLevels)
    .optional()
    .describe('What the relay logs, each level with those before it. Default: info.'),
  workers: bounded(
    1,
    maxWorkers,
    'Number of threads of each Pod that serve TCP connections and carry UDP; limits are those of the Pod, whatever their number. More than one pays off if the Pod may use more than one CPU. A change replaces the Pods. Default: 1.',
  ),
  drainSeconds: seconds(
    0,
    3600,
    'How long a stopping Pod waits for its connections to end, after some seconds in which it still accepts new ones. Default: 30.',
  ),
  updateStrategy: z
    .enum(['HotReload', 'Rollout'])
    .optional()
    .describe(
      'How changed endpoints reach the Pods. HotReload: running Pods take them over within a second, and none restarts. Rollout: Pods are replaced one after another; one that runs may take them over before its turn. Changing the strategy itself replaces the Pods. Default: HotReload.',
    ),
  workload: workload.optional().describe('What runs the Pods.'),
  autoscaling: autoscaling
    .optional()
    .describe(
      'Makes a HorizontalPodAutoscaler, which sets the number of Pods by their CPU use; replicas has no effect then. Not with a DaemonSet.',
    ),
  podDisruptionBudget: podDisruptionBudget
    .optional()
    .describe('Makes a PodDisruptionBudget, {} with the default, where there are two replicas or more.'),
  networkPolicy: networkPolicy
    .optional()
    .describe(
      'A NetworkPolicy that admits clients to the endpoints, and the operator, from its own namespace, to TCP port 9465, and nobody else. Kubelet always reaches the Pods of its node. Others, such as Prometheus, may be admitted by a policy of your own.',
    ),
  paused: flag('Reconcile nothing until it is false again; the status reports it. Default: false.'),
});

/** The name of a RealmRelay. */
export const nameSchema = text(maxNameLength).regex(
  /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
  `use lower-case letters, digits and "-", first a letter, at most ${String(maxNameLength)} characters`,
);

/** The whole object, as the API server has it. */
export const realmRelaySchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  metadata: z.looseObject({
    name: nameSchema,
    namespace: text(63).optional(),
    uid: z.string().optional(),
    generation: z.int().optional(),
    resourceVersion: z.string().optional(),
    deletionTimestamp: z.string().optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: specSchema,
  status: statusSchema.optional(),
});

/** A RealmRelay as the API server stores it: as the user wrote it, without defaults. */
export type RealmRelay = z.infer<typeof realmRelaySchema>;
export type RealmRelaySpec = z.infer<typeof specSchema>;
export type RealmRelayStatus = z.infer<typeof statusSchema>;
export type Condition = NonNullable<RealmRelayStatus['conditions']>[number];
/** Network settings as the user wrote them, on the spec or on an endpoint. */
export type NetworkSpec = z.infer<typeof network>;
/** The Service settings as the user wrote them. */
export type ServiceSpec = z.infer<typeof service>;
