import { expect } from 'chai';
import { operatorMetrics } from '../../src/operator/metrics.ts';
import { operatorRoutes } from '../../src/operator/routes.ts';
import { Registry } from '../../src/telemetry/metrics.ts';

describe('operatorRoutes', () => {
  it('lives at once, and is ready once it knows the cluster', async () => {
    let isReady = false;
    const routes = operatorRoutes({ isReady: () => isReady }, new Registry());
    const answer = async (path: string): Promise<number | undefined> => (await routes[path]?.())?.status;
    expect([await answer('/livez'), await answer('/readyz')]).to.deep.equal([200, 503]);
    isReady = true;
    expect(await answer('/readyz')).to.equal(200);
  });

  it('serves every outcome from the beginning, and what was counted', async () => {
    const registry = new Registry();
    const metrics = operatorMetrics(registry, { depth: () => 7, isLeading: () => false });
    metrics.turn('error', 0.05);
    metrics.watchFailed('Service');
    const answer = await operatorRoutes({ isReady: () => true }, registry)['/metrics']?.();
    const lines = answer?.body.split('\n');
    expect(lines).to.include.members([
      'realm_operator_reconciles_total{outcome="awaitChange"} 0',
      'realm_operator_reconciles_total{outcome="error"} 1',
      'realm_operator_reconcile_seconds_bucket{le="0.1"} 1',
      'realm_operator_watch_failures_total{kind="Service"} 1',
      'realm_operator_queue_depth 7',
      'realm_operator_leading 0',
      'realm_operator_relay_requests_total{outcome="failed"} 0',
    ]);
  });
});
