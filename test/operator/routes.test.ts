import { expect } from 'chai';
import { apiVersion, kind } from '../../src/api/schema/realm-relay.ts';
import { PackedObject } from '../../src/kube/packed-object.ts';
import { operatorMetrics } from '../../src/operator/metrics.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import { operatorRoutes } from '../../src/operator/routes.ts';
import type { WatchProblem } from '../../src/operator/watches.ts';
import { Registry } from '../../src/telemetry/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';

const request = { query: new URLSearchParams(), isLocal: true };
const quiet = {
  instance: 'realm-operator-0',
  isReady: () => true,
  isLeading: () => true,
  watchProblems: () => [],
  relaysOfOthers: () => new Map<string, number>(),
  relays: () => [],
};

describe('operatorRoutes', () => {
  it('lives at once, and is ready once it knows the cluster', async () => {
    let isReady = false;
    const problems: WatchProblem[] = [];
    const others = new Map<string, number>();
    const health = {
      ...quiet,
      isReady: () => isReady,
      watchProblems: () => problems,
      relaysOfOthers: () => others,
    };
    const routes = operatorRoutes(health, new Registry(), new FakeClock());
    const answer = async (path: string): Promise<number | undefined> =>
      (await routes[path]?.(request))?.status;
    expect([await answer('/livez'), await answer('/readyz')]).to.deep.equal([200, 503]);
    isReady = true;
    expect(await answer('/readyz')).to.equal(200);
    problems.push({ kind: 'Pod', namespace: 'edge', problem: 'pods is forbidden' });
    expect(await routes['/readyz']?.(request)).to.deep.include({
      status: 200,
      body: 'ok\nthe operator cannot watch Pod objects in namespace "edge" (pods is forbidden): grant its account get, list and watch\n',
    });
    problems.pop();
    others.set('edge/realm-operator', 2);
    expect((await routes['/readyz']?.(request))?.body).to.match(
      /^ok\ninstallation "edge\/realm-operator" serves 2 RealmRelays, .*--namespace/,
    );
  });

  it('serves every outcome from the beginning, and what was counted', async () => {
    const registry = new Registry();
    const condition = { type: 'Ready', status: 'True' as const, reason: 'Ready', message: '' };
    const ready = {
      apiVersion,
      kind,
      metadata: { name: 'web' },
      status: { conditions: [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    };
    const metrics = operatorMetrics(registry, {
      queue: () => ({ depth: 7, processingSeconds: [2, 0.5] }),
      workers: 4,
      isLeading: () => false,
      watchProblems: () => [{ kind: 'Pod', problem: 'forbidden' }],
      relaysOfOthers: () => new Map(),
      logLinesDropped: () => 3,
      relays: () =>
        [ready, { ...ready, status: {} }].map((relay) => new PackedObject<RelayObject>(relay, undefined)),
    });
    metrics.turn('error', 0.05);
    metrics.queue.added();
    metrics.queue.taken(0.02);
    metrics.apiResponded('PATCH', '201');
    metrics.watchFailed('Service');
    const answer = await operatorRoutes(quiet, registry, new FakeClock())['/metrics']?.(request);
    const lines = answer?.body.split('\n');
    expect(lines).to.include.members([
      'controller_runtime_reconcile_total{controller="realmrelay",result="success"} 0',
      'controller_runtime_reconcile_total{controller="realmrelay",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="realmrelay"} 1',
      'controller_runtime_reconcile_time_seconds_bucket{le="0.1",controller="realmrelay"} 1',
      'controller_runtime_active_workers{controller="realmrelay"} 2',
      'controller_runtime_max_concurrent_reconciles{controller="realmrelay"} 4',
      'workqueue_adds_total{name="realmrelay",controller="realmrelay"} 1',
      'workqueue_queue_duration_seconds_bucket{le="0.1",name="realmrelay",controller="realmrelay"} 1',
      'workqueue_unfinished_work_seconds{name="realmrelay",controller="realmrelay"} 2.5',
      'workqueue_longest_running_processor_seconds{name="realmrelay",controller="realmrelay"} 2',
      'rest_client_requests_total{method="PATCH",code="201"} 1',
      'realm_operator_relays{condition="Ready",status="True"} 1',
      'realm_operator_relays{condition="Ready",status="Unknown"} 1',
      'realm_operator_relays{condition="Stalled",status="False"} 2',
      'realm_operator_watch_failures_total{kind="Service"} 1',
      'realm_operator_watches_down{kind="Pod",namespace=""} 1',
      'workqueue_depth{name="realmrelay",controller="realmrelay"} 7',
      'realm_operator_leading 0',
      'realm_operator_log_lines_dropped_total 3',
      'realm_operator_relay_requests_total{outcome="failed"} 0',
    ]);
  });
});
