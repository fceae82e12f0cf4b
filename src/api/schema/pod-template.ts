import { z } from 'zod';
import { bounded, text } from './parts.ts';
import { atomic, labelSelector, strings, stringList } from './selector.ts';

const maxInt32 = 2 ** 31 - 1;

function optionalString(description: string): z.ZodOptional<z.ZodString> {
  return z.string().max(317).optional().describe(description);
}

function nodeRequirements(description: string): z.ZodOptional<z.ZodArray<typeof nodeRequirement>> {
  return z.array(nodeRequirement).max(64).optional().meta(atomic).describe(description);
}

const nodeRequirement = z.object({
  key: text(317).describe('Label key or field.'),
  operator: z
    .enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'])
    .describe('Relation of key and values.'),
  values: stringList('Values, as the operator needs them.'),
});

const nodeTerm = z.object({
  matchExpressions: nodeRequirements('Requirements by labels of the node.'),
  matchFields: nodeRequirements('Requirements by fields of the node.'),
});

const weight = z.int().min(1).max(100).describe('Weight.');

const podTerm = z.object({
  topologyKey: text(317).describe('Label of nodes: those with the same value are one place.'),
  labelSelector: labelSelector.optional().describe('Selects Pods.'),
  namespaces: stringList('Namespaces of the Pods. Default: that of the relay.'),
  namespaceSelector: labelSelector.optional().describe('Selects namespaces of the Pods; {} selects all.'),
  matchLabelKeys: stringList('Keys of labels in which the Pods must equal the relay Pod.'),
  mismatchLabelKeys: stringList('Keys of labels in which the Pods must differ from the relay Pod.'),
});

function podAffinity(description: string): z.ZodOptional<typeof podAffinityTerms> {
  return podAffinityTerms.optional().describe(description);
}

const podAffinityTerms = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z
    .array(podTerm)
    .max(64)
    .optional()
    .meta(atomic)
    .describe('Terms that must all hold.'),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.object({ weight, podAffinityTerm: podTerm.describe('What is preferred.') }))
    .max(64)
    .optional()
    .meta(atomic)
    .describe('Terms that are preferred, by weight.'),
});

const nodeAffinity = z.object({
  requiredDuringSchedulingIgnoredDuringExecution: z
    .object({
      nodeSelectorTerms: z
        .array(nodeTerm)
        .min(1)
        .max(64)
        .meta(atomic)
        .describe('Terms, of which one must hold.'),
    })
    .optional()
    .describe('What a node must have.'),
  preferredDuringSchedulingIgnoredDuringExecution: z
    .array(z.object({ weight, preference: nodeTerm.describe('What is preferred.') }))
    .max(64)
    .optional()
    .meta(atomic)
    .describe('What is preferred of a node, by weight.'),
});

const affinity = z.object({
  nodeAffinity: nodeAffinity.optional().describe('Attraction to nodes.'),
  podAffinity: podAffinity('Attraction to nodes of other Pods.'),
  podAntiAffinity: podAffinity('Repulsion from nodes of other Pods.'),
});

const toleration = z.object({
  key: optionalString('Key of the taint; every key where it is absent, with operator Exists.'),
  operator: z
    .enum(['Exists', 'Equal', 'Lt', 'Gt'])
    .optional()
    .describe('Relation of key and value. Default: Equal.'),
  value: optionalString('Value of the taint.'),
  effect: z
    .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
    .optional()
    .describe('Effect of the taint. Default: all.'),
  tolerationSeconds: z
    .int()
    .min(0)
    .max(2 ** 53 - 1)
    .optional()
    .describe('How long a NoExecute taint is tolerated. Default: for ever. Unit: seconds.'),
});

const spreadPolicy = z.enum(['Honor', 'Ignore']).optional();

const topologySpread = z.object({
  topologyKey: text(317).describe('Label of nodes: those with the same value are one place.'),
  maxSkew: z.int().min(1).max(maxInt32).describe('By how many Pods places may differ.'),
  whenUnsatisfiable: z
    .enum(['DoNotSchedule', 'ScheduleAnyway'])
    .describe('What becomes of a Pod that would make them differ more.'),
  labelSelector: labelSelector
    .optional()
    .describe('Selects the Pods that are counted. Default: those of the relay.'),
  minDomains: bounded(1, maxInt32, 'Least number of places.'),
  matchLabelKeys: stringList('Keys of labels in which counted Pods must equal the new one.'),
  nodeAffinityPolicy: spreadPolicy.describe(
    'Whether nodes that affinity and nodeSelector exclude are left out. Default: Honor.',
  ),
  nodeTaintsPolicy: spreadPolicy.describe('Whether nodes with taints are left out. Default: Ignore.'),
});

const podSpec = z.object({
  nodeSelector: strings('Labels that a node must have.'),
  tolerations: z
    .array(toleration)
    .max(64)
    .optional()
    .meta(atomic)
    .describe('Taints of nodes that are tolerated.'),
  affinity: affinity.optional().describe('Attraction to, and repulsion from, nodes and Pods.'),
  topologySpreadConstraints: z
    .array(topologySpread)
    .max(16)
    .optional()
    .meta({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['topologyKey', 'whenUnsatisfiable'],
    })
    .describe(
      'How Pods are spread, in place of the default: over nodes (kubernetes.io/hostname) and zones (topology.kubernetes.io/zone), where that is possible. [] turns it off.',
    ),
  priorityClassName: text(253).optional().describe('Priority class of the Pods.'),
  imagePullSecrets: z
    .array(z.object({ name: text(253).describe('Name of the Secret.') }))
    .max(16)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
    .describe('Secrets with which the image is pulled.'),
  serviceAccountName: text(253)
    .optional()
    .describe('Service account of the Pods; its token is not mounted. Default: default.'),
});

/** The additions to the relay Pods that users may make; a closed list, so that none weakens the Pods unnoticed. */
export const podTemplate = z.object({
  metadata: z
    .object({
      labels: strings('Labels of the Pods, beside those of the operator, which win.'),
      annotations: strings('Annotations of the Pods, beside those of the operator, which win.'),
    })
    .optional()
    .describe('Labels and annotations of the Pods.'),
  spec: podSpec.optional().describe('Where the Pods run, and as whom.'),
});
