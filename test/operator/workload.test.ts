import { expect } from 'chai';
import type { Condition, RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { creation, refusedWith } from './dry-run.ts';
import { condition, Edge, type Seen, spec } from './edge.ts';
import { noRoomFor } from './quota.ts';

type Choice = { hostNetwork?: boolean; more?: Partial<RealmRelaySpec> };

/** There is neither kubelet nor scheduler here: the tests make a node, and Pods ready. */
describeWithCluster('operator, what runs the Pods', function (cluster) {
  let edge: Edge;

  before(function () {
    if (!cluster().hasControllerManager) this.skip(); // nobody makes Pods
  });

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    edge.askRelay = async () => {
      const { status } = (await edge.find('realmrelays/web')) ?? {};
      return { configHash: status?.configHash ?? '', configProblem: '', unready: [] };
    };
    await edge.start();
    const metadata = { name: edge.namespace, labels: { pool: edge.namespace } };
    await cluster().request('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata });
  });

  afterEach(async () => {
    await edge.stop();
    await cluster().request('DELETE', `/api/v1/nodes/${edge.namespace}`);
  });

  /** A relay on the node of this test. */
  function apply(
    kind: 'Deployment' | 'DaemonSet',
    { hostNetwork = false, more = {} }: Choice = {},
  ): Promise<Seen> {
    const podTemplate = { spec: { nodeSelector: { pool: edge.namespace } } };
    return edge.applyRelay('web', spec(8443, { podTemplate, workload: { kind, hostNetwork }, ...more }));
  }

  /** Makes a Pod ready as kubelet does: the one whose controller is of this kind, and that never was, as those of an earlier workload were. */
  async function makeReady(owner: 'ReplicaSet' | 'DaemonSet', podIP: string): Promise<void> {
    const { metadata } = await eventually(`a Pod of a ${owner}`, async () => {
      const { items } = (await edge.find('pods')) as unknown as { items: Seen[] };
      return items.find(({ metadata: { ownerReferences, deletionTimestamp }, status }) => {
        const isNew = deletionTimestamp === undefined && status?.conditions?.some(isReady) !== true;
        return isNew && ownerReferences?.[0]?.kind === owner;
      });
    });
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' }];
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
    await edge.write('PATCH', `pods/${metadata.name}/status`, body, 'application/strategic-merge-patch+json');
  }

  it('is a DaemonSet, whose Pods are counted and polled', async () => {
    await apply('DaemonSet', { more: { replicas: 3, podDisruptionBudget: {} } });
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.find('deployments/web')).to.equal(undefined);
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
    await makeReady('DaemonSet', '192.0.2.1');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    const { status } = await edge.expect('realmrelays/web', (seen) => seen.status?.updatedReplicas === 1);
    expect(status).to.include({ replicas: 1, readyReplicas: 1 });
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message)
      .to.include('spec.replicas: has no effect')
      .and.include('spec.podDisruptionBudget: has no');
  });

  it('reports that a DaemonSet has no node', async () => {
    const podTemplate = { spec: { nodeSelector: { pool: 'none' } } };
    await edge.applyRelay('web', spec(8443, { podTemplate, workload: { kind: 'DaemonSet' } }));
    await edge.expectCondition('web', 'Ready', 'False', 'NoMatchingNodes');
  });

  it('reports why the Pods of a DaemonSet are refused, and goes on when they are not', async () => {
    const quota = await noRoomFor(edge, 'pods');
    await apply('DaemonSet');
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'PodsRefused');
    expect(message).to.match(/^Pods cannot be created: pods "web-\w*" is forbidden: exceeded quota: tight/);
    await edge.expectCondition('web', 'Stalled', 'True', 'PodsRefused');
    await cluster().request('DELETE', quota);
    await makeReady('DaemonSet', '192.0.2.1');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
  });

  it('reports that a Deployment is paused, and goes on when it is resumed', async () => {
    await apply('Deployment');
    await makeReady('ReplicaSet', '192.0.2.1');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    await edge.write('PATCH', 'deployments/web', { spec: { paused: true } });
    await apply('Deployment', { more: { drainSeconds: 1 } });
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'RolloutPaused');
    expect(message).to.include(`kubectl rollout resume deployment/web -n ${edge.namespace}`);
    await edge.expectCondition('web', 'Stalled', 'True', 'RolloutPaused');
    await edge.write('PATCH', 'deployments/web', { spec: { paused: false } });
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
  });

  it('changes its kind and back: the new one is ready before the old one goes', async () => {
    await apply('Deployment');
    await makeReady('ReplicaSet', '192.0.2.1');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');

    await apply('DaemonSet');
    await edge.expect('daemonsets/web', (seen) =>
      JSON.stringify(seen.status).includes('"numberUnavailable":1'),
    );
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
    expect(await edge.find('deployments/web'), 'it serves until the new Pods are ready').not.to.equal(
      undefined,
    );
    await makeReady('DaemonSet', '192.0.2.2');
    await edge.expectMissing('deployments/web');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');

    await apply('Deployment');
    await edge.expect('deployments/web');
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
    expect(await edge.find('daemonsets/web'), 'it serves until the new Pods are ready').not.to.equal(
      undefined,
    );
    await makeReady('ReplicaSet', '192.0.2.3');
    await edge.expectMissing('daemonsets/web');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
  });

  it('lets the old one go first on hostNetwork, since it holds the ports', async () => {
    await apply('Deployment', { hostNetwork: true });
    await edge.expect('deployments/web');
    await apply('DaemonSet', { hostNetwork: true });
    await edge.expectMissing('deployments/web');
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
  });

  it('reports what hostNetwork needs of nodes and of the namespace', async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    await cluster().request('PATCH', `/api/v1/namespaces/${edge.namespace}`, { metadata: { labels } }, merge);
    const pod = { hostNetwork: true, containers: [{ name: 'none', image: 'none' }] };
    await refusedWith(
      edge,
      creation('pods', { metadata: { name: 'probe' }, spec: pod }),
      'violates PodSecurity',
    );
    await edge.applyRelay('web', spec(443, { workload: { hostNetwork: true } }));
    const { message } = await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(message).to.include('enforces Pod Security baseline').and.include('ip_unprivileged_port_start');
    const { message: refusal } = await edge.expectCondition('web', 'Ready', 'False', 'PodsRefused');
    expect(refusal).to.include('violates PodSecurity').and.include('hostNetwork');
    const seen = await edge.expect('realmrelays/web');
    expect(condition(seen, 'Stalled')).to.include({ status: 'True', reason: 'PodsRefused' });
  });
});

const merge = 'application/merge-patch+json';

function isReady({ type, status }: Condition): boolean {
  return type === 'Ready' && status === 'True';
}
