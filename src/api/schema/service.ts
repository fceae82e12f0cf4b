import { z } from 'zod';
import { flag, ipFamily, isCidr, rule, text } from './parts.ts';

const className = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?[/])?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** The Service in front of the relay Pods, as the user wrote it. */
export const service = z.object({
  enabled: flag('Make a Service for the relay. Default: true.'),
  type: z
    .enum(['ClusterIP', 'NodePort', 'LoadBalancer'])
    .optional()
    .describe('Type of the Service. Default: ClusterIP.'),
  ipFamilyPolicy: z
    .enum(['SingleStack', 'PreferDualStack', 'RequireDualStack'])
    .optional()
    .describe(
      'IP family policy of the Service. Default: what the endpoints bind: SingleStack for one family, PreferDualStack for both.',
    ),
  ipFamilies: rule(z.array(ipFamily).min(1).max(2), {
    cel: 'self.size() < 2 || self[0] != self[1]',
    holds: (families) => new Set(families).size === families.length,
    remedy: 'name each family once',
  })
    .optional()
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('IP families of the Service, the primary first. Default: what the endpoints bind.'),
  recreatePolicy: z
    .enum(['Never', 'WhenNeeded'])
    .optional()
    .describe(
      'What to do when a change cannot be made to the live Service, such as another primary IP family. Never: leave it and report ServiceImmutable. WhenNeeded: delete it and create it again, which loses its cluster IPs, node ports and load-balancer address. Default: Never.',
    ),
  annotations: z
    .record(z.string(), z.string().max(65_536))
    .optional()
    .meta({ maxProperties: 64 })
    .describe('Annotations of the Service, e.g. for a cloud load balancer.'),
  labels: z
    .record(z.string(), z.string().max(63))
    .optional()
    .meta({ maxProperties: 64 })
    .describe('Labels of the Service, beside those of the operator, which win.'),
  externalTrafficPolicy: z
    .enum(['Cluster', 'Local'])
    .optional()
    .describe(
      'Where traffic from outside of the cluster is led. Local: to relay Pods on the node that it reached, which keeps the address of the client. Cluster: to any. With NodePort and LoadBalancer. Default: Cluster.',
    ),
  loadBalancerClass: text(253)
    .regex(className, 'use a name such as example.com/internal')
    .optional()
    .describe(
      "Which load balancer implementation serves the Service, e.g. example.com/internal. With LoadBalancer; cannot be changed on a live Service, see recreatePolicy. Default: the cluster's own.",
    ),
  loadBalancerSourceRanges: z
    .array(
      rule(text(43), {
        cel: 'isCIDR(self)',
        holds: isCidr,
        remedy: 'use a range such as 10.0.0.0/8 or 2001:db8::/32',
      }),
    )
    .min(1)
    .max(64)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('Addresses whose clients the load balancer lets in. With LoadBalancer. Default: everyone.'),
  sessionAffinity: z
    .enum(['None', 'ClientIP'])
    .optional()
    .describe(
      'Whether the Service leads all connections of a client address to one relay Pod (ClientIP). Default: None.',
    ),
  nodePorts: z
    .record(z.string(), z.int().min(1).max(65_535))
    .optional()
    .meta({ maxProperties: 64 })
    .describe(
      "Ports on every node, by the name of the endpoint, e.g. https: 30443; they must lie in the cluster's range of node ports, 30000 to 32767 as a rule. Those of a range follow the first one. With NodePort and LoadBalancer. Default: the cluster chooses.",
    ),
});
