import { z } from 'zod';
import { dnsLabelPattern } from '../../lib/dns-name.ts';
import { numericEnd } from '../../lib/host-name.ts';
import { maxPayloadLength, payloadPattern, payloadRemedy } from '../../lib/payload.ts';
import { maxServerNameLength, serverNamePattern, serverNameRemedy } from '../../lib/server-name.ts';
import { network } from './network.ts';
import { bounded, flag, isHost, isListenAddress, isPlainAddress, rule, seconds, text } from './parts.ts';
import { listenTransport, remoteTransport } from './transport.ts';

/** The port of the relay's admin server in every Pod; no endpoint may listen on it. */
export const adminPort = 9465;

/** Maximum number of ports of one endpoint: the largest block that VoIP and media servers use for RTP. */
export const maxEndpointPorts = 16_384;

/** Maximum number of pairs of port and protocol of a relay with a Service, which has an entry for each of them. */
export const maxServicePorts = 512;

/** The same without a Service: every pair is a listening socket of each Pod. */
export const maxListeningPorts = 32_768;

/** Maximum number of names of an endpoint. */
const maxHosts = 32;

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

/** One endpoint, with them. */
export const checkedEndpoint = rule(endpoint, {
  cel: '!has(self.listen.endPort) || self.remotes.all(r, (has(r.fixedPort) && r.fixedPort) || r.port + self.listen.endPort - self.listen.port <= 65535)',
  holds: ({ listen: { port, endPort = port }, remotes }) =>
    remotes.every((each) => each.fixedPort === true || each.port + endPort - port <= 65_535),
  remedy:
    "the remotes' ports, which shift along with those of listen, end above 65535: use lower ones, a smaller range, or fixedPort: true",
});

/** An endpoint as the user wrote it. */
export type EndpointSpec = z.infer<typeof endpoint>;
