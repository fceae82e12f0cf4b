import type { Dashboard } from './dashboard.ts';

/** The characters in the random suffixes of Pods and ReplicaSets. */
const random = '[bcdfghjklmnpqrstvwxz2456789]';
/** The suffix after a relay's name in the names of its Pods; for a DaemonSet it has no ReplicaSet part. */
const podSuffix = `(?:-${random}{6,10})?-${random}{5}`;

/** The dashboard of relays. */
export const relaysDashboard: Dashboard = {
  uid: 'realm-operator-relays',
  title: 'realm-operator / Relays',
  variables: [
    { name: 'namespace', query: 'label_values(realm_relay_build_info, namespace)' },
    {
      name: 'relay',
      query: 'label_values(realm_relay_build_info{namespace=~"$namespace"}, pod)',
      regex: `/^(.+?)${podSuffix}$/`,
    },
    {
      name: 'pod',
      query: `label_values(realm_relay_build_info{namespace=~"$namespace", pod=~"(?:$relay)${podSuffix}"}, pod)`,
    },
  ],
  panels: [
    {
      kind: 'stat',
      title: 'Pods',
      description: 'Relay Pods that are scraped.',
      unit: 'short',
      queries: { Pods: 'count(realm_relay_ready{$$})' },
    },
    {
      kind: 'stat',
      title: 'Pods not ready',
      description: 'An endpoint is not bound, or the Pod drains.',
      unit: 'short',
      badFrom: 1,
      queries: { 'not ready': 'count(realm_relay_ready{$$} == 0)' },
    },
    {
      kind: 'stat',
      title: 'Endpoints not bound',
      description: 'They serve nobody in that Pod.',
      unit: 'short',
      badFrom: 1,
      queries: { 'not bound': 'count(realm_relay_endpoint_ready{$$} == 0)' },
    },
    {
      kind: 'stat',
      title: 'Remotes unhealthy',
      description: 'They are tried last.',
      unit: 'short',
      badFrom: 1,
      queries: { unhealthy: 'count(realm_relay_remote_healthy{$$} == 0)' },
    },
    {
      kind: 'stat',
      title: 'Open connections',
      description: 'TCP, of all selected Pods.',
      unit: 'short',
      queries: { open: 'sum(realm_relay_connections_active{$$})' },
    },
    {
      kind: 'stat',
      title: 'Traffic',
      description: 'Bytes per second, both ways.',
      unit: 'Bps',
      queries: { traffic: 'sum(rate(realm_relay_bytes_total{$$}[$__rate_interval]))' },
    },
    {
      kind: 'table',
      title: 'Endpoints',
      description: 'Open connections, and clients that wait, by Pod and endpoint.',
      unit: 'short',
      queries: {
        open: 'sum by (namespace, pod, endpoint) (realm_relay_connections_active{$$})',
        waiting: 'sum by (namespace, pod, endpoint) (realm_relay_connections_waiting{$$})',
        ready: 'min by (namespace, pod, endpoint) (realm_relay_endpoint_ready{$$})',
      },
    },
    {
      kind: 'table',
      title: 'Remotes that are not healthy',
      description: 'By Pod, endpoint and protocol. The page of the relay has the reason.',
      unit: 'short',
      queries: {
        healthy: 'max by (namespace, pod, endpoint, protocol, remote) (realm_relay_remote_healthy{$$} == 0)',
      },
    },
    {
      kind: 'table',
      title: 'Last checks of remotes',
      description: 'How long ago the last health check of each remote ended.',
      unit: 'dateTimeFromNow',
      queries: {
        check:
          'max by (namespace, pod, endpoint, protocol, remote) (realm_relay_remote_last_check_timestamp_seconds{$$}) * 1000',
      },
    },
    {
      kind: 'table',
      title: 'Pods',
      description: 'Version and engine of each relay.',
      unit: 'short',
      queries: {
        ready:
          'realm_relay_ready{$$} * on (namespace, pod) group_left (version) realm_relay_build_info * on (namespace, pod) group_left (engine) realm_relay_engine_info',
      },
    },
    {
      title: 'Time to connect to a remote',
      description:
        'How long TCP clients waited for a remote: name lookup, failed tries and handshakes included.',
      unit: 's',
      queries: {
        '{{endpoint}} p99': quantileByEndpoint('0.99', 'realm_relay_dial_seconds'),
        '{{endpoint}} p50': quantileByEndpoint('0.5', 'realm_relay_dial_seconds'),
      },
    },
    {
      title: 'Duration of connections',
      description: 'How long TCP connections that ended had lasted.',
      unit: 's',
      queries: {
        '{{endpoint}} p90': quantileByEndpoint('0.9', 'realm_relay_connection_seconds'),
        '{{endpoint}} p50': quantileByEndpoint('0.5', 'realm_relay_connection_seconds'),
      },
    },
    {
      title: 'Traffic of each remote',
      description: 'Bytes per second that clients sent to it, and that it sent to them.',
      unit: 'Bps',
      queries: {
        '{{endpoint}} {{protocol}} {{remote}} from {{from}}':
          'sum by (endpoint, protocol, remote, from) (rate(realm_relay_remote_bytes_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Memory for clients',
      description: 'The used share of the memory that clients may make the relay use.',
      unit: 'percentunit',
      queries: {
        '{{namespace}}/{{pod}}': 'realm_relay_memory_used_bytes{$$} / realm_relay_memory_budget_bytes{$$}',
      },
    },
    {
      title: 'Pods that are not ready',
      description:
        'An endpoint is not bound, or the Pod drains. `kubectl describe realmrelay` names endpoint and reason.',
      unit: 'short',
      queries: { '{{namespace}}/{{pod}}': 'realm_relay_ready{$$} == 0' },
    },
    {
      title: 'Endpoints that are not bound',
      description: 'By Pod and endpoint. The status of the RealmRelay has the reason.',
      unit: 'short',
      queries: { '{{pod}} {{endpoint}}': 'realm_relay_endpoint_ready{$$} == 0' },
    },
    {
      title: 'Configurations that are rejected',
      description: 'The relay keeps running the previous one. Its log and the status have the reason.',
      unit: 'short',
      queries: { '{{namespace}}/{{pod}}': 'realm_relay_config_rejected{$$} == 1' },
    },
    {
      title: 'Remotes that are not healthy',
      description: 'They are tried last: their dials failed, or their health check.',
      unit: 'short',
      queries: {
        '{{endpoint}} {{protocol}} {{remote}}':
          'count by (endpoint, protocol, remote) (realm_relay_remote_healthy{$$} == 0)',
      },
    },
    {
      title: 'TCP connections',
      description: 'Open, and waiting if network.maxConnections is reached.',
      unit: 'short',
      queries: {
        '{{endpoint}}': 'sum by (endpoint) (realm_relay_connections_active{$$})',
        '{{endpoint}} waiting': 'sum by (endpoint) (realm_relay_connections_waiting{$$}) > 0',
      },
    },
    {
      title: 'New TCP connections',
      description: 'Accepted, in a second.',
      unit: 'ops',
      queries: { '{{endpoint}}': perEndpoint('realm_relay_connections_total') },
    },
    {
      title: 'UDP associations',
      description: 'Open: one for each client.',
      unit: 'short',
      queries: { '{{endpoint}}': 'sum by (endpoint) (realm_relay_associations_active{$$})' },
    },
    {
      title: 'New UDP associations',
      description: 'Made, in a second.',
      unit: 'ops',
      queries: { '{{endpoint}}': perEndpoint('realm_relay_associations_total') },
    },
    {
      title: 'Traffic',
      description: 'Bytes read in a second, by endpoint, protocol and the side that sent them.',
      unit: 'Bps',
      queries: {
        '{{endpoint}} {{protocol}} from {{from}}':
          'sum by (endpoint, protocol, from) (rate(realm_relay_bytes_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Failures',
      description:
        'Connections by the side that failed, associations without a remote, and clients that were refused.',
      unit: 'ops',
      queries: {
        '{{endpoint}} TCP {{side}}':
          'sum by (endpoint, side) (rate(realm_relay_connections_failed_total{$$}[$__rate_interval]))',
        '{{endpoint}} TCP {{reason}}':
          'sum by (endpoint, reason) (rate(realm_relay_connections_refused_total{$$}[$__rate_interval]))',
        '{{endpoint}} UDP failed': perEndpoint('realm_relay_associations_failed_total'),
        '{{endpoint}} UDP {{reason}}':
          'sum by (endpoint, reason) (rate(realm_relay_associations_refused_total{$$}[$__rate_interval]))',
        '{{endpoint}} UDP evicted': perEndpoint('realm_relay_associations_evicted_total'),
      },
    },
    {
      title: 'Connections of each remote',
      description: 'Connections and associations, as balance spreads them.',
      unit: 'short',
      queries: {
        '{{endpoint}} {{protocol}} {{remote}}':
          'sum by (endpoint, protocol, remote) (realm_relay_remote_active{$$})',
      },
    },
    {
      title: 'Dials that failed',
      description: 'The next remote is tried, if there is one.',
      unit: 'ops',
      queries: {
        '{{endpoint}} {{protocol}} {{remote}}':
          'sum by (endpoint, protocol, remote) (rate(realm_relay_remote_dials_failed_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Memory',
      description: 'Resident memory of each relay.',
      unit: 'bytes',
      queries: {
        '{{namespace}}/{{pod}}':
          'process_resident_memory_bytes{$$} and on (namespace, pod) realm_relay_build_info',
      },
    },
    {
      title: 'File descriptors',
      description: 'The share that is open, of those that may be. A connection takes two.',
      unit: 'short',
      queries: {
        '{{namespace}}/{{pod}}':
          'process_open_fds{$$} / process_max_fds{$$} and on (namespace, pod) realm_relay_build_info',
      },
    },
  ],
};

function perEndpoint(counter: string): string {
  return `sum by (endpoint) (rate(${counter}{$$}[$__rate_interval]))`;
}

function quantileByEndpoint(share: string, histogram: string): string {
  return `histogram_quantile(${share}, sum by (endpoint, le) (rate(${histogram}_bucket{$$}[$__rate_interval])))`;
}
