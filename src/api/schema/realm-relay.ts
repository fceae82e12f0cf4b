import { z } from 'zod';
import { dnsLabelPattern } from '../../lib/dns-name.ts';
import { numericEnd } from '../../lib/host-name.ts';
import { logLevels } from '../../lib/log-level.ts';
import { maxWorkers } from '../../lib/max-workers.ts';
import { maxServerNameLength, serverNamePattern, serverNameRemedy } from '../../lib/server-name.ts';
import { maxPayloadLength, payloadPattern, payloadRemedy } from '../../lib/payload.ts';
import { network } from './network.ts';
import { podTemplate } from './pod-template.ts';
import { bounded, flag, isHost, isListenAddress, isPlainAddress, rule, seconds, text } from './parts.ts';
import { strings } from './selector.ts';
import { service } from './service.ts';
import { statusSchema } from './status.ts';
import { listenTransport, remoteTransport } from './transport.ts';
import { autoscaling, networkPolicy, podDisruptionBudget, workload } from './workload.ts';

/** Maximum number of names of an endpoint. */
const maxHosts = 32;

/** API group of RealmRelay. */
export const group = 'realm-operator.dev';
/** API version of RealmRelay. */
export const version = 'v1alpha1';
export const apiVersion = `${group}/${version}`;
export const kind = 'RealmRelay';
/** The resource's name in URLs. */
export const plural = 'realmrelays';

/** The port of the relay's admin server in every Pod; no endpoint may listen on it. */
export const adminPort = 9465;

/** Maximum number of ports of one endpoint: the largest block that VoIP and media servers use for RTP. */
export const maxEndpointPorts = 16_384;

/** Maximum number of pairs of port and protocol of a relay with a Service, which has an entry for each of them. */
export const maxServicePorts = 512;

/** The same without a Service: every pair is a listening socket of each Pod. */
export const maxListeningPorts = 32_768;

/** Maximum length of a RealmRelay's name: names derived from it must fit into a label of 63 characters. */
export const maxNameLength = 56;

const listenFields = z.object({
  address: rule(text(45), {
    cel: "isIP(self) || (self.matches('^::ffff:[0-9.]+$') && isIP(self.substring(7)))",
    holds: isListenAddress,
    remedy: 'use an IPv4 or IPv6 address without brackets, port or zone, such as "::" or "0.0.0.0"',
  })
    .optional()
    .describe(
      'IPv4 or IPv6 address to listen on, without brackets or zone; an IPv4-mapped one is spelt "::ffff:192.0.2.1". "::" is every IPv6 address and, unless ipv6Only is true, every IPv4 address too. Default: "::".',
    ),
  port: rule(bounded(1, 65_535, '').unwrap(), {
    cel: `self != ${String(adminPort)}`,
    holds: (port) => port !== adminPort,
    remedy: `${String(adminPort)} is the port of the relay's own admin server; choose another port`,
  }).describe(`Port to listen on. ${String(adminPort)} is taken by the relay's admin server.`),
  endPort: bounded(
    1,
    65_535,
    `Last port of a range that begins with \`port\`, at most ${String(maxEndpointPorts)} ports. A relay with a Service has at most ${String(maxServicePorts)} ports in all, those of TCP and UDP counted apart, because each takes a port of the Service, and a node port if its type has them; without one (\`service.enabled: false\`, usually with \`workload.hostNetwork\`) it has at most ${String(maxListeningPorts)}. The ports of the remotes shift along: with port 8000 and a remote port of 9000, port 8003 goes to 9003. Default: \`port\`.`,
  ),
});

/** Rules for endpoints with a range of ports; `holds` gets the first port and the last. */
export const rangeRules = [
  {
    cel: 'self.endPort >= self.port',
    holds: (port: number, endPort: number) => endPort >= port,
    remedy: 'use an endPort that is not below port',
  },
  {
    cel: `self.endPort - self.port < ${String(maxEndpointPorts)}`,
    holds: (port: number, endPort: number) => endPort - port < maxEndpointPorts,
    remedy: `use an endPort at most ${String(maxEndpointPorts - 1)} above port, and another endpoint for more ports`,
  },
  {
    cel: `self.port > ${String(adminPort)} || self.endPort < ${String(adminPort)}`,
    holds: (port: number, endPort: number) => port > adminPort || endPort < adminPort,
    remedy: `the range holds ${String(adminPort)}, the port of the relay's own admin server; choose other ports`,
  },
];

const listen = rangeRules.reduce(
  (schema, { cel, holds, remedy }) =>
    rule(schema, {
      cel: `!has(self.endPort) || ${cel}`,
      holds: ({ port, endPort = port }) => holds(port, endPort),
      remedy,
      field: 'endPort',
    }),
  listenFields,
);

const remote = z.object({
  address: rule(text(253), {
    cel: `isIP(self) || (self.matches('^::ffff:[0-9.]+$') && isIP(self.substring(7))) || (self.matches('^([0-9A-Za-z_]([-0-9A-Za-z_]{0,61}[0-9A-Za-z_])?[.])*[0-9A-Za-z]([-0-9A-Za-z]{0,61}[0-9A-Za-z])?[.]?$') && !self.matches('${numericEnd.source}'))`,
    holds: isHost,
    remedy:
      'use an IPv4 address as four decimal numbers, an IPv6 address without brackets or zone, or a host name whose last label is no number',
  }).describe('IPv4 address, IPv6 address without brackets, or host name to relay to.'),
  port: bounded(1, 65_535, '')
    .unwrap()
    .describe('Port to relay to; of an endpoint with a range, the one that its first port goes to.'),
  fixedPort: flag(
    'Relay every port of the endpoint to `port`, where else the ports shift along with those of its range. Default: false.',
  ),
  weight: bounded(
    0,
    255,
    'Share of the connections relative to the other remotes, with RoundRobin, IPHash and LeastConnections; 0 means none. Default: 1.',
  ),
});

/** The text of a datagram. */
function payload(description: string) {
  return text(maxPayloadLength).regex(payloadPattern, payloadRemedy).describe(description);
}

const udpCheck = z.object({
  send: payload(
    'Datagram to send, as text: `\\xNN` is a byte in hexadecimal, and \\r, \\n, \\t, \\\\ are as usual.',
  ),
  expect: payload(
    'What the answer must contain, written like `send`. Default: any answer will do.',
  ).optional(),
});

const healthCheck = z.object({
  intervalSeconds: seconds(1, 3600, 'Time between two checks of a remote. Default: 10.'),
  timeoutSeconds: seconds(
    1,
    3600,
    'Time limit of a check: of the name lookup, and of the connect. Default: 2.',
  ),
  unhealthyThreshold: bounded(1, 100, 'Failures in a row after which a remote is tried last. Default: 3.'),
  udp: udpCheck
    .optional()
    .describe(
      'Checks the remotes of UDP by a datagram. Without it, the TCP connect decides for UDP, too: give it if the remotes do not listen on TCP.',
    ),
  healthyThreshold: bounded(1, 100, 'Successes in a row after which it has its place back. Default: 1.'),
});

const host = rule(text(maxServerNameLength).regex(serverNamePattern, serverNameRemedy), {
  cel: `!self.matches('${numericEnd.source}')`,
  holds: (name) => !numericEnd.test(name),
  remedy: 'use a host name: clients of TLS name no IP addresses',
});

const sni = z.object({
  hosts: z
    .array(host)
    .min(1)
    .max(maxHosts)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'set' })
    .describe(
      'Names that clients ask for, such as "a.example", or "*.b.example" for every name below b.example. An exact name goes before a wildcard, and a longer wildcard before a shorter one. Default: every name that no other endpoint of the port has, and clients that ask for none.',
    ),
});

/** One endpoint, without the rules across its fields. */
export const endpoint = z.object({
  name: text(15)
    .regex(dnsLabelPattern, 'use lower-case letters, digits and "-" inside, at most 15 characters')
    .describe('Name of the endpoint, unique within the relay: a DNS label of at most 15 characters.'),
  listen: listen.describe('Where clients connect.'),
  sni: sni
    .optional()
    .describe(
      'Serves the clients of TLS that ask for certain names, so that several endpoints share a port. The name is read from the ClientHello, and TLS goes on to the remotes unchanged, or ends here with listenTransport.tls. Clients that no endpoint of the port serves are reset. Default: every client of the port.',
    ),
  remotes: rule(z.array(remote).min(1).max(32), {
    cel: '!self.all(r, has(r.weight) && r.weight == 0)',
    holds: (remotes) => remotes.length === 0 || !remotes.every(({ weight }) => weight === 0),
    remedy: 'give at least one remote a weight above 0',
  })
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe('Where connections are relayed to, in the order of preference for Failover.'),
  balance: z
    .enum(['RoundRobin', 'IPHash', 'Failover', 'LeastConnections'])
    .optional()
    .describe(
      'How a remote is chosen: RoundRobin takes turns by weight, IPHash keeps a client address at one remote, Failover prefers the first that works, LeastConnections the one with the fewest connections for its weight. When a remote cannot be reached, the next is tried, and that one last for a while. Default: RoundRobin.',
    ),
  through: rule(text(45), {
    cel: 'isIP(self)',
    holds: isPlainAddress,
    remedy: 'use an IPv4 or IPv6 address without brackets, port or zone',
  })
    .optional()
    .describe(
      "Source address for dialling the remotes, one of the Pod's own. Remote addresses of the other IP family are not tried. 0.0.0.0 and :: are the same as none. Default: the system's choice.",
    ),
  healthCheck: healthCheck
    .optional()
    .describe(
      'Checks every remote by a TCP connect, or a datagram; {} with the defaults. Without it only dials for clients tell whether a remote works.',
    ),
  network: network.optional().describe('Overrides spec.network for this endpoint, field by field.'),
  listenTransport: listenTransport
    .optional()
    .describe('TLS and WebSocket towards the TCP clients. Default: plain TCP.'),
  remoteTransport: remoteTransport
    .optional()
    .describe('TLS and WebSocket towards the TCP remotes. Default: plain TCP.'),
});

const checkedEndpoint = rule(endpoint, {
  cel: '!has(self.listen.endPort) || self.remotes.all(r, (has(r.fixedPort) && r.fixedPort) || r.port + self.listen.endPort - self.listen.port <= 65535)',
  holds: ({ listen: { port, endPort = port }, remotes }) =>
    remotes.every((each) => each.fixedPort === true || each.port + endPort - port <= 65_535),
  remedy:
    "the remotes' ports, which shift along with those of listen, end above 65535: use lower ones, a smaller range, or fixedPort: true",
});

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
/** An endpoint as the user wrote it. */
export type EndpointSpec = z.infer<typeof endpoint>;
/** The Service settings as the user wrote them. */
export type ServiceSpec = z.infer<typeof service>;
