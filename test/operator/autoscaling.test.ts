import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { Edge, type Seen, spec } from './edge.ts';

const autoscaling = { minReplicas: 2, maxReplicas: 10 };

describeWithCluster('operator and an autoscaler', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  async function programmed(more: Partial<RealmRelaySpec>): Promise<Seen> {
    await edge.applyRelay('web', spec(8443, more));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    return edge.expect('deployments/web');
  }

  /** As an autoscaler does. */
  async function scale(replicas: number): Promise<void> {
    await edge.write('PATCH', 'deployments/web/scale', { spec: { replicas } });
  }

  /** Every number of Pods that the Deployment had from `before` to `after`: the API server remembers. */
  async function history(before: Seen, after: Seen): Promise<unknown[]> {
    const path = `/apis/apps/v1/namespaces/${edge.namespace}/deployments`;
    const query = `watch=1&timeoutSeconds=1&resourceVersion=${before.metadata.resourceVersion ?? ''}`;
    const states = await eventually('every state', async () => {
      const { text } = await cluster().request('GET', `${path}?${query}`);
      const lines = text.split('\n').filter((line) => line !== '');
      const seen = lines.map((line) => (JSON.parse(line) as { object: Seen }).object);
      const isLast = ({ metadata }: Seen): boolean =>
        metadata.resourceVersion === after.metadata.resourceVersion;
      return seen.some(isLast) && seen;
    });
    return [...new Set(states.map(({ spec: state }) => state?.['replicas']))];
  }

  it('gives the number of Pods to it and takes it back, with no dip on the way', async () => {
    const before = await programmed({ replicas: 5 });
    const given = await programmed({ replicas: 5, autoscaling });
    expect(await edge.find('horizontalpodautoscalers/web')).to.have.deep.nested.property(
      'spec.scaleTargetRef',
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        name: 'web',
      },
    );
    expect(given.spec).to.include({ replicas: 5 });
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message).to.include('spec.replicas: has no effect while there is autoscaling');

    await scale(7);
    const edited = await programmed({ replicas: 5, autoscaling, drainSeconds: 60 });
    expect(JSON.stringify(edited.spec)).to.include('--drain-seconds=60');
    expect(edited.spec, 'an edit leaves it to the autoscaler').to.include({ replicas: 7 });

    await programmed({ replicas: 6 });
    await edge.expectMissing('horizontalpodautoscalers/web');
    const taken = await programmed({ replicas: 6 });
    expect(taken.spec).to.include({ replicas: 6 });
    expect(await history(before, taken)).to.deep.equal([5, 7, 6]);

    const givenAgain = await programmed({ replicas: 6, autoscaling });
    expect(await history(taken, givenAgain), 'given a second time').to.deep.equal([6]);
  });

  it('leaves the number of Pods to the autoscaler, and reports what that goes by', async () => {
    await programmed({ autoscaling });
    await edge.expect('deployments/web', (seen) => seen.spec?.['replicas'] === 2); // the autoscaler's first look
    await scale(4);
    await edge.write('PATCH', 'configmaps/web-config', { data: { 'config.json': '{}' } });
    await edge.expect('configmaps/web-config', (seen) => seen.data?.['config.json'] !== '{}');
    expect((await edge.expect('deployments/web')).spec).to.include({ replicas: 4 });
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message).to.include('set resources.requests.cpu');
  });
});
