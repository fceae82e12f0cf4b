import type { Dashboard } from './dashboard.ts';

/** The dashboard of the operator. */
export const operatorDashboard: Dashboard = {
  uid: 'realm-operator',
  title: 'realm-operator / Operator',
  variables: [
    { name: 'namespace', query: 'label_values(realm_operator_build_info, namespace)' },
    { name: 'pod', query: 'label_values(realm_operator_build_info{namespace=~"$namespace"}, pod)' },
  ],
  panels: [
    {
      kind: 'stat',
      title: 'RealmRelays',
      description: 'All that this operator watches.',
      unit: 'short',
      queries: { RealmRelays: 'sum(max by (status) (realm_operator_relays{$$, condition="Ready"}))' },
    },
    {
      kind: 'stat',
      title: 'Not Ready',
      description: 'RealmRelays whose condition Ready is not True.',
      unit: 'short',
      badFrom: 1,
      queries: {
        'not Ready': 'sum(max by (status) (realm_operator_relays{$$, condition="Ready", status!="True"}))',
      },
    },
    {
      kind: 'stat',
      title: 'Stalled',
      description: 'RealmRelays that wait for a change by their owners.',
      unit: 'short',
      badFrom: 1,
      queries: { Stalled: 'max(realm_operator_relays{$$, condition="Stalled", status="True"})' },
    },
    {
      kind: 'stat',
      title: 'Waiting in the queue',
      description: 'RealmRelays that wait for a reconcile.',
      unit: 'short',
      queries: { waiting: 'sum(workqueue_depth{$$})' },
    },
    {
      kind: 'stat',
      title: 'Watches down',
      description: 'Watches that the API server refuses or does not answer.',
      unit: 'short',
      badFrom: 1,
      queries: { down: 'count(realm_operator_watches_down{$$})' },
    },
    {
      kind: 'stat',
      title: 'Leaders',
      description: 'Exactly one should lead.',
      unit: 'short',
      badFrom: 2,
      queries: { leaders: 'sum(realm_operator_leading{$$})' },
    },
    {
      kind: 'table',
      title: 'Operators',
      description: 'Each operator with its version; 1 leads, 0 stands by.',
      unit: 'short',
      queries: {
        leading:
          'realm_operator_leading{$$} * on (namespace, pod) group_left (version) realm_operator_build_info',
      },
    },
    {
      kind: 'table',
      title: 'Watches that are down',
      description: 'By kind and namespace; none is good.',
      unit: 'short',
      queries: { down: 'max by (kind) (realm_operator_watches_down{$$})' },
    },
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

function quantile(share: string, histogram: string): string {
  return `histogram_quantile(${share}, sum by (le) (rate(${histogram}_bucket{$$}[$__rate_interval])))`;
}
