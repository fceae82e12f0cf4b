import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, type Seen, spec } from './edge.ts';

type PodTemplate = NonNullable<RealmRelaySpec['podTemplate']>;
type Pods = { metadata: Record<string, object>; spec: Record<string, unknown> };

describeWithCluster('operator, what users add to Pods', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  function applyWith(podTemplate: PodTemplate): Promise<unknown> {
    return edge.applyRelay('web', spec(8443, { podTemplate }));
  }

  function pods({ spec: { template } = {} }: Seen): Pods {
    return template as Pods;
  }

  it('adds it, and takes it away again', async () => {
    await edge.applyRelay('web', spec());
    const before = pods(await edge.expect('deployments/web'));
    await applyWith({
      metadata: { labels: { team: 'edge' }, annotations: { note: 'kept' } },
      spec: {
        nodeSelector: { edge: '' },
        tolerations: [{ operator: 'Exists' }],
        affinity: { podAntiAffinity: {} },
        topologySpreadConstraints: [],
        imagePullSecrets: [{ name: 'registry' }],
        priorityClassName: 'system-cluster-critical',
        serviceAccountName: 'relay',
      },
    });
    const { metadata, spec: added } = pods(
      await edge.expect('deployments/web', (seen) => 'tolerations' in pods(seen).spec),
    );
    expect(metadata).to.have.nested.property('labels.team', 'edge');
    expect(metadata['annotations']).to.deep.equal({ note: 'kept' });
    expect(added).to.deep.include({
      nodeSelector: { edge: '' },
      tolerations: [{ operator: 'Exists' }],
      imagePullSecrets: [{ name: 'registry' }],
      priorityClassName: 'system-cluster-critical',
      serviceAccountName: 'relay',
      automountServiceAccountToken: false,
    });
    expect(added).not.to.have.any.keys('topologySpreadConstraints');
    await edge.applyRelay('web', spec());
    const after = pods(await edge.expect('deployments/web', (seen) => !('tolerations' in pods(seen).spec)));
    expect(after).to.deep.equal(before);
  });

  it("reports what the API server refuses of it, in the server's words, and takes it once it is right", async () => {
    await applyWith({ spec: { tolerations: [{ key: 'edge', operator: 'Exists', value: 'x' }] } });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidTemplate');
    expect(message).to.include('Deployment "web"').and.include('tolerations[0]');
    await edge.expectCondition('web', 'Stalled', 'True', 'InvalidTemplate');
    await applyWith({ spec: { tolerations: [{ key: 'edge', operator: 'Exists' }] } });
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('reports which labels are not for users, and keeps its own', async () => {
    await applyWith({ metadata: { labels: { 'app.kubernetes.io/instance': 'mine' } } });
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message).to.include('app.kubernetes.io/instance').and.include('has no effect');
    expect(pods(await edge.expect('deployments/web')).metadata['labels']).to.include({
      'app.kubernetes.io/instance': 'web',
    });
  });
});
