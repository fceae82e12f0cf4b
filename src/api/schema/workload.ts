import { z } from 'zod';
import { bounded, flag, isCidr, rule, text } from './parts.ts';
import { atomic, labelSelector } from './selector.ts';

const percentage = /^(100|[1-9]?[0-9])%$/;
const countRemedy = 'use a number such as 1, or a share such as 25%';

/** A number of Pods, or a share of all of them. */
const podCount = z
  .union([z.int().min(0).max(1000), z.string().regex(percentage, countRemedy)], countRemedy)
  .meta({ 'x-kubernetes-int-or-string': true, pattern: percentage.source })
  .optional();

/** Whether `count` is no Pod at all. */
export function isNone(count: number | string): boolean {
  return count === 0 || count === '0%';
}

const rollingUpdate = rule(
  z.object({
    maxSurge: podCount.describe(
      'How many Pods may exist beyond those wanted while Pods are replaced: a number, or a share such as 25%. 0 for namespaces whose quota has no room for one more. Default: 25%; 0 with hostNetwork, and with a DaemonSet if maxUnavailable is not 0.',
    ),
    maxUnavailable: podCount.describe(
      'How many Pods may be missing of those wanted while Pods are replaced: a number, or a share such as 25%. Default: 0; 1 with hostNetwork, and if maxSurge is 0.',
    ),
  }),
  {
    cel: "!(has(self.maxSurge) && has(self.maxUnavailable) && (self.maxSurge == 0 || self.maxSurge == '0%') && (self.maxUnavailable == 0 || self.maxUnavailable == '0%'))",
    holds: ({ maxSurge = 1, maxUnavailable = 1 }) => !isNone(maxSurge) || !isNone(maxUnavailable),
    remedy: 'let one of maxSurge and maxUnavailable be more than 0; otherwise no Pod could ever be replaced',
  },
);

/** The kind of workload that runs the Pods, as the user wrote it. */
export const workload = z.object({
  kind: z
    .enum(['Deployment', 'DaemonSet'])
    .optional()
    .describe(
      'Deployment: as many Pods as replicas states. DaemonSet: one on every node that podTemplate selects. After a change the old Pods go when the new ones are ready; before that with hostNetwork, where both need the same ports. Default: Deployment.',
    ),
  hostNetwork: flag(
    "Run the Pods in the network of their nodes, so that clients reach the endpoints at the nodes' own addresses. One such relay to a node, since each needs TCP port 9465; ports below 1024 only where the node lets everyone bind them; not in namespaces that enforce Pod Security baseline or restricted. A change of ports replaces the Pods, unless there are more than 512. Default: false.",
  ),
  rollingUpdate: rollingUpdate
    .optional()
    .describe('How Pods are replaced when the Pod template changes, as in a Deployment or DaemonSet.'),
});

/** How many Pods may be evicted at a time, as the user wrote it. */
export const podDisruptionBudget = z.object({
  maxUnavailable: podCount.describe(
    'How many Pods may be away at a time while nodes are drained: a number, or a share of all such as 25%. Default: 1.',
  ),
});

/** How the number of Pods follows the load, as the user wrote it. */
export const autoscaling = rule(
  z.object({
    minReplicas: bounded(1, 1000, 'Least number of Pods. Default: 1.'),
    maxReplicas: z.int().min(1).max(1000).describe('Greatest number of Pods.'),
    targetCPUUtilizationPercentage: bounded(
      1,
      1000,
      'CPU use to aim at, of all Pods together, in percent of resources.requests.cpu. Default: 80.',
    ),
  }),
  {
    cel: '!has(self.minReplicas) || self.minReplicas <= self.maxReplicas',
    holds: ({ minReplicas = 1, maxReplicas }) => minReplicas <= maxReplicas,
    remedy: 'give minReplicas at most what maxReplicas is',
  },
);

const range = rule(text(43), {
  cel: 'isCIDR(self)',
  holds: isCidr,
  remedy: 'use a range such as 10.0.0.0/8 or 2001:db8::/32',
});

const peer = rule(
  z.object({
    ipBlock: z
      .object({
        cidr: range.describe('Range of addresses.'),
        except: z
          .array(range)
          .max(64)
          .optional()
          .meta(atomic)
          .describe('Ranges within it that are kept out.'),
      })
      .optional()
      .describe('Addresses.'),
    namespaceSelector: labelSelector
      .optional()
      .describe('Selects namespaces; {} selects all. Default: that of the relay.'),
    podSelector: labelSelector
      .optional()
      .describe('Selects Pods of these namespaces; {} selects all. Default: all.'),
  }),
  {
    cel: 'has(self.ipBlock) != (has(self.namespaceSelector) || has(self.podSelector))',
    holds: ({ ipBlock, namespaceSelector, podSelector }) =>
      (ipBlock !== undefined) !== (namespaceSelector !== undefined || podSelector !== undefined),
    remedy: 'give either ipBlock, or namespaceSelector and podSelector or one of them',
  },
);

/** The clients that may reach the relay Pods, as the user wrote it. */
export const networkPolicy = z.object({
  enabled: flag('Make a NetworkPolicy for the relay Pods. Default: false.'),
  allowFrom: z
    .array(peer)
    .min(1)
    .max(64)
    .optional()
    .meta(atomic)
    .describe('Clients that may reach the endpoints. Default: everyone.'),
});
