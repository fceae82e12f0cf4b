import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, type Seen, spec } from './edge.ts';
import { refusal, refuse } from './refusing-policy.ts';

/** Objects that a relay has only where its spec asks for them. */
const companions: {
  object: string;
  more: Partial<RealmRelaySpec>;
  less?: Partial<RealmRelaySpec>;
  holds: (object: Seen) => boolean;
}[] = [
  {
    object: 'poddisruptionbudgets/web',
    more: { replicas: 2, podDisruptionBudget: {} },
    holds: ({ spec }) => spec?.['maxUnavailable'] === 1,
  },
  {
    object: 'horizontalpodautoscalers/web',
    more: { autoscaling: { maxReplicas: 3 } },
    holds: ({ spec }) => spec?.['minReplicas'] === 1 && spec['maxReplicas'] === 3,
  },
  {
    object: 'networkpolicies/web',
    more: { networkPolicy: { enabled: true, allowFrom: [{ ipBlock: { cidr: '2001:db8::/32' } }] } },
    less: { networkPolicy: { enabled: false } },
    holds: ({ spec }) => JSON.stringify(spec).includes('2001:db8::/32'),
  },
];

describeWithCluster('operator, objects that only some relays have', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  for (const { object, more, less = {}, holds } of companions) {
    it(`${object}: is made, repaired, and goes with its field`, async () => {
      await edge.applyRelay('web', spec(8443, less));
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      expect(await edge.find(object)).to.equal(undefined);
      const { metadata: owner } = await edge.applyRelay('web', spec(8443, more));
      const { metadata } = await edge.expect(object, holds);
      expect(metadata.ownerReferences?.[0]).to.include({ uid: owner.uid, controller: true });
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      await edge.write('DELETE', object);
      await edge.expect(object, (seen) => seen.metadata.uid !== metadata.uid);
      await edge.applyRelay('web', spec(8443, less));
      await edge.expectMissing(object);
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });
  }

  it('gives an autoscaler a Pod to begin with, if there was none: it leaves a Deployment of 0 alone', async () => {
    await edge.applyRelay('web', spec(8443, { replicas: 0 }));
    await edge.expect('deployments/web', (seen) => seen.spec?.['replicas'] === 0);
    await edge.applyRelay('web', spec(8443, { replicas: 0, autoscaling: { maxReplicas: 3 } }));
    await edge.expect('deployments/web', (seen) => seen.spec?.['replicas'] === 1);
  });

  it('makes the budget although the autoscaler is refused, and reports that one', async () => {
    const refused = { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' };
    const body = {
      metadata: { name: 'probe' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 2 },
    };
    const probe = { method: 'POST', object: refused.resource, body, contentType: 'application/json' };
    const allow = await refuse(edge, { ...refused, operations: ['CREATE', 'UPDATE'] }, probe);
    const autoscaling = { minReplicas: 2, maxReplicas: 3 };
    await edge.applyRelay('web', spec(8443, { autoscaling, podDisruptionBudget: {} }));
    await edge.expect('poddisruptionbudgets/web');
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidObject');
    expect(message).to.include('HorizontalPodAutoscaler "web"').and.include(refusal);
    await allow();
    await edge.expect('horizontalpodautoscalers/web');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('refuses an autoscaler for a DaemonSet', async () => {
    const autoscaling = { maxReplicas: 3 };
    await edge.applyRelay('web', spec(8443, { workload: { kind: 'DaemonSet' }, autoscaling }));
    const { message } = await edge.expectCondition('web', 'Accepted', 'False', 'Invalid');
    expect(message).to.include('spec.autoscaling: cannot go with a DaemonSet');
  });

  it('reports that a budget is of no use with one Pod, and makes none', async () => {
    await edge.applyRelay('web', spec(8443, { podDisruptionBudget: {} }));
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message).to.include('spec.podDisruptionBudget: has no effect with fewer than two replicas');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.find('poddisruptionbudgets/web')).to.equal(undefined);
  });
});
