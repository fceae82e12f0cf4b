import type { HealthCheck, Network } from '../api/relay.ts';
import type { FieldTable } from './field-table.ts';
import type { RealmHealthCheck, RealmNetwork } from './realm-document.ts';

/** Maps the fields of a RealmRelay's network to keys of the relay's file, in the order of the file. */
export const networkFields = {
  tcp: '!no_tcp',
  udp: 'use_udp',
  ipv6Only: 'ipv6_only',
  tcpTimeoutSeconds: 'tcp_timeout',
  udpTimeoutSeconds: 'udp_timeout',
  tcpKeepaliveSeconds: 'tcp_keepalive',
  tcpKeepaliveProbes: 'tcp_keepalive_probe',
  tcpUserTimeoutSeconds: 'tcp_user_timeout',
  dscp: 'dscp',
  allowedSources: 'allowed_sources',
  sendProxy: {
    enabled: 'send_proxy',
    version: 'send_proxy_version',
    udp: 'send_proxy_udp',
    everyDatagram: 'send_proxy_every_datagram',
  },
  acceptProxy: {
    enabled: 'accept_proxy',
    timeoutSeconds: 'accept_proxy_timeout',
    trustedSources: 'accept_proxy_trusted',
  },
  tcpIdleTimeoutSeconds: 'tcp_idle_timeout',
  tcpHalfCloseTimeoutSeconds: 'tcp_half_close_timeout',
  maxConnections: 'max_connections',
  maxConnectionsPerClient: 'max_connections_per_client',
  maxWaiting: 'max_waiting',
} as const satisfies FieldTable<Network, RealmNetwork>;

/** The same for an endpoint's health check, except for `udp`, a table in both. */
export const healthCheckFields = {
  intervalSeconds: 'interval',
  timeoutSeconds: 'timeout',
  unhealthyThreshold: 'unhealthy_threshold',
  healthyThreshold: 'healthy_threshold',
} as const satisfies FieldTable<Omit<HealthCheck, 'udp'>, RealmHealthCheck>;
