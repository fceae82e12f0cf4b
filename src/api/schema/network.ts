import { z } from 'zod';
import { bounded, flag, isAddressRange, rule, seconds, text } from './parts.ts';

const sendProxy = z.object({
  enabled: flag(
    'Begin each TCP connection to a remote with a PROXY header that names the client. Default: false.',
  ),
  version: bounded(1, 2, 'Version of the PROXY protocol. Default: 2.'),
  udp: flag(
    'Begin each UDP association, too, with a header of version 2, in the first datagram that a remote gets. Default: false.',
  ),
  everyDatagram: flag(
    'Put that header before every datagram, as dnsdist, PowerDNS and go-mmproxy expect. Default: false.',
  ),
});

const acceptProxy = z.object({
  enabled: flag('Expect a PROXY header, of either version, of each TCP client. Default: false.'),
  timeoutSeconds: seconds(0, 3600, 'Time limit of receiving it. 0 means none. Default: 5.'),
  trustedSources: sources(
    'Addresses and ranges whose PROXY headers are believed; clients of other addresses are refused. Default: anyone.',
  ),
});

/** An optional list of IP addresses and ranges of them. */
function sources(description: string) {
  return z
    .array(
      rule(text(43), {
        cel: 'isIP(self) || isCIDR(self)',
        holds: isAddressRange,
        remedy: 'use an IP address or a range such as 10.0.0.0/8 or 2001:db8::/32',
      }),
    )
    .min(1)
    .max(64)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe(description);
}

/** Network settings, of the spec or of one endpoint. */
export const network = z.object({
  ipv6Only: flag(
    'Sets IPV6_V6ONLY on IPv6 listen sockets: an endpoint on "::" then leaves the IPv4 port to others. Without effect on IPv4 addresses. Default: false.',
  ),
  tcp: flag('Relay TCP. Default: true.'),
  udp: flag('Relay UDP. Default: false.'),
  tcpTimeoutSeconds: seconds(
    0,
    3600,
    'Time limit of dialling one remote, name resolution included. 0 means none. Default: 5.',
  ),
  udpTimeoutSeconds: seconds(
    0,
    86_400,
    'Idle time after which a UDP association is forgotten. 0 means never. Default: 30.',
  ),
  tcpKeepaliveSeconds: seconds(
    0,
    32_767,
    'Idle time before TCP keepalive probes, and the time between them. 0 turns keepalive off. Default: 15.',
  ),
  tcpKeepaliveProbes: bounded(
    1,
    127,
    'TCP keepalive probes without an answer before the connection is given up. Default: 3.',
  ),
  tcpUserTimeoutSeconds: seconds(
    0,
    86_400,
    'Time that what was sent on a TCP connection may stay unacknowledged before the connection is given up, at least as long as keepalive takes. 0 leaves it to the system. With the engine node it has no effect. Default: 60.',
  ),
  dscp: bounded(
    0,
    63,
    'Differentiated services code point of the packets to clients and remotes, such as 46 for voice. Default: 0.',
  ),
  allowedSources: sources(
    'Addresses and ranges of the clients that are served, TCP and UDP; others are reset, or their datagrams dropped. Held against the address in the PROXY header where acceptProxy is enabled: name its trustedSources, too. Default: everybody.',
  ),
  sendProxy: sendProxy
    .optional()
    .describe('PROXY protocol towards the remotes; with UDP only if `udp` is true.'),
  acceptProxy: acceptProxy.optional().describe('PROXY protocol from the clients; not with UDP.'),
  tcpIdleTimeoutSeconds: seconds(
    0,
    86_400,
    'Time without a byte either way after which a TCP connection is ended; 600 is a good choice. 0 means never. Default: 0.',
  ),
  tcpHalfCloseTimeoutSeconds: seconds(
    0,
    86_400,
    'Time without a byte after which a TCP connection is ended while one side has ended already; a download goes on as long as bytes flow. Where tcpIdleTimeoutSeconds is sooner, that holds. 0 means as tcpIdleTimeoutSeconds. Default: 300.',
  ),
  maxConnections: bounded(
    0,
    1_000_000,
    'TCP connections that an endpoint serves at a time, in each Pod; more clients wait for their turn. 0 means no limit. Default: 0.',
  ),
  maxConnectionsPerClient: bounded(
    0,
    1_000_000,
    'TCP connections of an endpoint, and UDP associations, that one client may have in each Pod; more are reset, or their datagrams dropped. A client is an IPv4 address or an IPv6 /64, of the PROXY header where acceptProxy is enabled. Users behind one NAT are one client. 0 means no limit. Default: 0.',
  ),
  maxWaiting: bounded(
    0,
    65_536,
    'TCP clients of an endpoint that may wait, in each Pod, while it can serve no more; those beyond are reset. Default: 1024.',
  ),
});
