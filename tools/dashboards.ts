import { type Dashboard, model } from './dashboard.ts';

/** The characters in the random suffixes of Pods and ReplicaSets. */
const random = '[bcdfghjklmnpqrstvwxz2456789]';
/** The suffix after a relay's name in the names of its Pods; for a DaemonSet it has no ReplicaSet part. */
const podSuffix = `(?:-${random}{6,10})?-${random}{5}`;

const operator: Dashboard = {
  uid: 'realm-operator',
  title: 'realm-operator / Operator',
  variables: [
    { name: 'namespace', query: 'label_values(realm_operator_build_info, namespace)' },
    { name: 'pod', query: 'label_values(realm_operator_build_info{namespace=~"$namespace"}, pod)' },
  ],
  panels: [
    {
      title: 'RealmRelays that are not Ready',
      description:
        'By the status of the condition Ready. `kubectl get realmrelays -A` lists them with the reason.',
      unit: 'short',
      queries: {
        '{{status}}': 'max by (status) (realm_operator_relays{$$, condition="Ready", status!="True"})',
      },
    },
    {
      title: 'RealmRelays by condition',
      description: 'Number of RealmRelays by condition and its status.',
      unit: 'short',
      queries: {
        '{{condition}} {{status}}': 'max by (condition, status) (realm_operator_relays{$$})',
      },
    },
    {
      title: 'Leader',
      description: '1 for the leader, 0 for operators that stand by. Exactly one should be 1.',
      unit: 'short',
      queries: { '{{pod}}': 'realm_operator_leading{$$}' },
    },
    {
      title: 'Reconciles',
      description: 'By result. The log has each error with the RealmRelay in `key`.',
      unit: 'ops',
      queries: {
        '{{result}}': 'sum by (result) (rate(controller_runtime_reconcile_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Duration of reconciles',
      description: 'Most of it is spent waiting for the API server.',
      unit: 's',
      queries: {
        p99: quantile('0.99', 'controller_runtime_reconcile_time_seconds'),
        p50: quantile('0.5', 'controller_runtime_reconcile_time_seconds'),
      },
    },
    {
      title: 'Queue',
      description: 'RealmRelays waiting for a reconcile, and those being reconciled.',
      unit: 'short',
      queries: {
        waiting: 'sum(workqueue_depth{$$})',
        'worked on': 'sum(controller_runtime_active_workers{$$})',
      },
    },
    {
      title: 'Time in the queue',
      description: 'How long RealmRelays wait for a reconcile. It grows when the operator does not keep up.',
      unit: 's',
      queries: {
        p99: quantile('0.99', 'workqueue_queue_duration_seconds'),
        p50: quantile('0.5', 'workqueue_queue_duration_seconds'),
      },
    },
    {
      title: 'Retries and failed watches',
      description: 'Reconciles that are retried, and watches that failed and were retried, by kind.',
      unit: 'ops',
      queries: {
        retries: 'sum(rate(workqueue_retries_total{$$}[$__rate_interval]))',
        'watch {{kind}}': 'sum by (kind) (rate(realm_operator_watch_failures_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Requests to the API server',
      description: 'By method and status code; <error> if there was no response.',
      unit: 'ops',
      queries: {
        '{{method}} {{code}}':
          'sum by (method, code) (rate(rest_client_requests_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Requests to relay Pods',
      description: 'The operator polls a Pod while it is not ready or does not run the newest configuration.',
      unit: 'ops',
      queries: {
        '{{outcome}}': 'sum by (outcome) (rate(realm_operator_relay_requests_total{$$}[$__rate_interval]))',
      },
    },
    {
      title: 'Memory',
      description: 'Resident memory of each operator.',
      unit: 'bytes',
      queries: {
        '{{pod}}': `process_resident_memory_bytes{$$} and on (namespace, pod) realm_operator_build_info`,
      },
    },
    {
      title: 'CPU',
      description: 'CPU cores used by each operator.',
      unit: 'short',
      queries: {
        '{{pod}}':
          'rate(process_cpu_seconds_total{$$}[$__rate_interval]) and on (namespace, pod) realm_operator_build_info',
      },
    },
  ],
};

const relays: Dashboard = {
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
      title: 'Pods that are not ready',
      description:
        'An endpoint is not bound, or the Pod drains. `kubectl describe realmrelay` names endpoint and reason.',
      unit: 'short',
      queries: { '{{namespace}}/{{pod}}': 'realm_relay_ready{$$} == 0' },
    },
    {
      title: 'Endpoints that are not bound',
      description: 'By Pod and endpoint. The reason stands in the status of the RealmRelay.',
      unit: 'short',
      queries: { '{{pod}} {{endpoint}}': 'realm_relay_endpoint_ready{$$} == 0' },
    },
    {
      title: 'Configurations that are refused',
      description: 'The relay goes on with the one before. The reason stands in its log and in the status.',
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
      description: 'Open, and waiting for a place where network.maxConnections is reached.',
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
        'Connections by the side that failed, associations without a remote, and clients that were turned away.',
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
      description: 'The next remote is tried, where there is one.',
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

/** The Grafana dashboards of the chart, as JSON by file name. */
export function dashboards(): ReadonlyMap<string, string> {
  return new Map(
    [operator, relays].map((dashboard) => [
      `${dashboard.uid}.json`,
      `${JSON.stringify(model(dashboard), null, 2)}\n`,
    ]),
  );
}

function perEndpoint(counter: string): string {
  return `sum by (endpoint) (rate(${counter}{$$}[$__rate_interval]))`;
}

function quantile(share: string, histogram: string): string {
  return `histogram_quantile(${share}, sum by (le) (rate(${histogram}_bucket{$$}[$__rate_interval])))`;
}
