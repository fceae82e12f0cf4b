import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { condition, Edge, type Seen, spec } from './edge.ts';

const replicas = 3;
const hashAnnotation = 'realm-operator.dev/config-hash';

/** There is no kubelet here: the test makes Pods ready, one after the other, as a rollout does. */
describeWithCluster('operator, status during a rollout', function (cluster) {
  let edge: Edge;

  before(function () {
    if (!cluster().hasControllerManager) this.skip(); // nobody makes Pods
  });

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    edge.askRelay = (address) =>
      Promise.resolve({ configHash: hashes.get(address) ?? '', configProblem: '', unready: [] });
    await edge.start();
  });

  afterEach(() => edge.stop());

  /** What the relay at each address runs: what its Pod was made with. */
  const hashes = new Map<string, string>();

  async function pods(): Promise<Seen[]> {
    return ((await edge.find('pods')) as unknown as { items: Seen[] }).items;
  }

  /** Makes the next Pod of configuration `hash` ready that is not yet, once there is one. */
  async function makeNextReady(hash: string, podIP: string): Promise<void> {
    const { metadata } = await eventually(`a new Pod for ${podIP}`, async () =>
      (await pods()).find(
        ({ metadata: { annotations }, status }) =>
          annotations?.[hashAnnotation] === hash &&
          status?.conditions?.some(({ type }) => type === 'Ready') !== true,
      ),
    );
    hashes.set(podIP, hash);
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' }];
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
    await edge.write('PATCH', `pods/${metadata.name}/status`, body, 'application/strategic-merge-patch+json');
  }

  /** Applies the relay with this port, and makes its Pods ready one after the other. */
  async function rollOut(port: number, network: string): Promise<Seen> {
    await edge.applyRelay('web', spec(port, { replicas, updateStrategy: 'Rollout' }));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const { status: { configHash = '' } = {} } = await edge.expect('realmrelays/web');
    for (let ready = 1; ready <= replicas; ready += 1) {
      await makeNextReady(configHash, `${network}.${String(ready)}`);
      await edge.expect('realmrelays/web', ({ status }) => (status?.updatedReplicas ?? 0) >= ready);
    }
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    return edge.expect(
      'realmrelays/web',
      ({ status }) => status?.updatedReplicas === replicas && status.replicas === replicas,
    );
  }

  /** What the relay was, one after the other, after it was `first` until it was `last`: the API server keeps what watches got. */
  async function statesBetween(first: Seen, last: Seen): Promise<Seen[]> {
    const query = `watch=1&resourceVersion=${version(first)}&timeoutSeconds=1`;
    const path = `/apis/realm-operator.dev/v1alpha1/namespaces/${edge.namespace}/realmrelays?${query}`;
    return eventually('every state', async () => {
      const { text } = await cluster().request('GET', path);
      const lines = text.split('\n').filter((line) => line !== '');
      const states = lines.map((line) => (JSON.parse(line) as { object: Seen }).object);
      const end = states.findIndex((state) => version(state) === version(last));
      return end >= 0 && states.slice(0, end + 1);
    });
  }

  it('is written when something happened to a Pod, and does not flap', async () => {
    const before = await rollOut(8443, '192.0.2');
    const after = await rollOut(9443, '198.51.100');
    const [edit, ...written] = await statesBetween(before, after);
    expect(edit?.status, 'the first is the user’s edit').to.deep.equal(before.status);
    expect(written.at(-1)?.status).to.include({
      replicas,
      readyReplicas: replicas,
      updatedReplicas: replicas,
    });

    // The edit is seen; each of the Pods is made, gets ready, tells what it runs, and one of before goes; all is done.
    expect(written.length).to.be.at.most(1 + 4 * replicas + 1);
    const texts = written.map(({ status }) => JSON.stringify(status));
    expect(texts.filter((text, index) => text === texts[index - 1])).to.deep.equal([]);

    expect(runs(written.map((seen) => condition(seen, 'Ready')?.status))).to.deep.equal(['False', 'True']);
    expect(runs(written.map((seen) => condition(seen, 'Reconciling')?.status))).to.deep.equal([
      'True',
      undefined,
    ]);
    expect(runs(written.map((seen) => condition(seen, 'Stalled')?.status))).to.deep.equal([undefined]);
    expect(runs(written.map(({ status }) => status?.updatedReplicas))).to.deep.equal([0, 1, 2, 3]);
    expect(Math.min(...written.map(({ status }) => status?.readyReplicas ?? 0))).to.equal(replicas);
    const [first] = written;
    const { message = '' } = (first && condition(first, 'Ready')) ?? {};
    expect(message).to.equal('3 of 3 Pods are ready; old Pods are still being removed or replaced.');
  });
});

function version({ metadata }: Seen): string {
  return metadata.resourceVersion ?? '';
}

/** `values` without those that are as the one before. */
function runs<T>(values: readonly T[]): T[] {
  return values.filter((value, index) => index === 0 || value !== values[index - 1]);
}
