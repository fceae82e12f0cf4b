import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { type Backend, startBackend } from '../backend.ts';
import { Clients } from './clients.ts';
import { imageArchive, installOperator, kubectl, printDiagnosis } from '../install.ts';
import {
  applyManifest,
  type ClusterAddresses,
  clusterAddresses,
  evict,
  relayManifest,
  relayPods,
  webEndpoints,
} from '../relay.ts';

const port = 443;
const patience = { timeoutMs: 90_000, intervalMs: 200 };

/** With the default settings, clients notice none of these operations on a relay. */
describe('clients of a relay lose no connection', () => {
  let node: TestNode;
  let namespace: string;
  let six: Backend;
  let four: Backend;
  let web: ClusterAddresses;
  let clients: Clients;

  before('start a node with an operator and a relay', async () => {
    node = await startNode([imageArchive]);
    namespace = await node.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    [six, four] = await Promise.all([
      startBackend(node, namespace, 'backend-six'),
      startBackend(node, namespace, 'backend-four'),
      installOperator(node),
    ]);
    await apply(six, four);
    web = await clusterAddresses(node, namespace, 'web');
  });

  beforeEach('clients come', async () => {
    clients = new Clients([web.ipv4, web.ipv6], port);
    await eventually('clients are served', () => clients.served > 0);
  });

  afterEach(async function () {
    await clients.stop();
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, namespace);
  });

  after('stop the node', async () => {
    await (node as TestNode | undefined)?.stop(); // undefined if it never started
  });

  /** Resolves when clients that connect from now on were served, too, and none lost its connection. */
  async function expectNoneLost(): Promise<void> {
    const served = clients.served;
    await eventually('clients are served on', () => clients.served > served + 20);
    await clients.stop();
    expect(clients.lost).to.deep.equal([]);
  }

  /** Applies the relay with these backends, and defaults otherwise. */
  async function apply(six: Backend, four: Backend, more: object = {}): Promise<void> {
    const manifest = relayManifest('web', webEndpoints(six, four), { replicas: 2, ...more });
    await applyManifest(node, namespace, 'web', manifest);
  }

  async function patch(spec: object): Promise<void> {
    const args = ['patch', 'realmrelay', 'web', '--type=merge', '--patch', JSON.stringify({ spec })];
    await kubectl(node, ['-n', namespace, ...args]);
  }

  /** Resolves when none of `pods` is left, and the relay is Ready with `count` others. */
  async function expectReplaced(pods: readonly string[], count = 2): Promise<void> {
    await eventually(
      'the Pods replaced',
      async () => {
        const now = await relayPods(node, namespace, 'web');
        return now.length === count && now.every((pod) => !pods.includes(pod));
      },
      patience,
    );
    await expectReady();
  }

  /** Resolves when one of two Pods is gone, the other must stay, and a replacement can start. */
  async function uncordonWhenOneIsGone(pods: readonly string[]): Promise<void> {
    try {
      await eventually(
        'one Pod gone, while the other must stay',
        async () => {
          const trials = pods.map((pod) => evict(node, namespace, pod, { dryRun: ['All'] }));
          return (await Promise.all(trials)).toSorted().join() === '404,429';
        },
        patience,
      );
    } finally {
      await kubectl(node, ['uncordon', 'node1']);
    }
  }

  async function expectReady(): Promise<void> {
    await kubectl(node, ['-n', namespace, 'wait', '--for=condition=Ready', 'rr/web', '--timeout=30s']);
  }

  it('when its endpoints are edited again and again (HotReload)', async () => {
    const pods = await relayPods(node, namespace, 'web');
    for (const [first, second] of [
      [four, six],
      [six, four],
      [four, six],
    ] as const) {
      await apply(first, second);
    }
    await expectNoneLost();
    expect(await relayPods(node, namespace, 'web')).to.deep.equal(pods);
  });

  it('when one of its Pods is deleted by hand', async () => {
    const [pod = ''] = await relayPods(node, namespace, 'web');
    await kubectl(node, ['-n', namespace, 'delete', '--wait=false', pod]);
    await eventually(
      'the Pod gone and another one in its place',
      async () => {
        const pods = await relayPods(node, namespace, 'web');
        return pods.length === 2 && !pods.includes(pod);
      },
      patience,
    );
    await expectReady();
    await expectNoneLost();
  });

  it('when its Pods are replaced one after another (a rolling update)', async () => {
    const pods = await relayPods(node, namespace, 'web');
    await patch({ resources: { requests: { cpu: '5m' } } });
    await expectReplaced(pods);
    await expectNoneLost();
  });

  it('when its Pods are replaced for an edit of its endpoints (Rollout)', async () => {
    const pods = await relayPods(node, namespace, 'web');
    await patch({ updateStrategy: 'Rollout' });
    await expectReplaced(pods);
    const second = await relayPods(node, namespace, 'web');
    await apply(six, four, { updateStrategy: 'Rollout' });
    await expectReplaced(second);
    await expectNoneLost();
  });

  it('when a DaemonSet replaces its Deployment, and the other way round', async () => {
    const pods = await relayPods(node, namespace, 'web');
    await patch({ workload: { kind: 'DaemonSet' } });
    await expectReplaced(pods, 1);
    const second = await relayPods(node, namespace, 'web');
    await patch({ workload: { kind: 'Deployment' } });
    await expectReplaced(second);
    await expectNoneLost();
  });

  it('when its node is drained, which waits for another Pod because of its budget', async () => {
    await patch({ podDisruptionBudget: {} });
    await expectReady();
    const pods = await relayPods(node, namespace, 'web');
    // Only the Pods of this relay: backends and operator cannot leave the only node.
    const drain = ['drain', 'node1', '--pod-selector=app.kubernetes.io/instance=web'];
    await Promise.all([kubectl(node, drain), uncordonWhenOneIsGone(pods)]);
    await expectReplaced(pods);
    await expectNoneLost();
  });

  it('when an edit names an image that does not exist', async () => {
    const pods = await relayPods(node, namespace, 'web');
    await patch({ image: 'registry.invalid/none:1' });
    await eventually('a Pod that cannot start', async () => {
      return (await relayPods(node, namespace, 'web')).length === pods.length + 1;
    });
    const wait = ['wait', '--for=condition=Ready=false', 'rr/web', '--timeout=30s'];
    await kubectl(node, ['-n', namespace, ...wait]);
    expect(await relayPods(node, namespace, 'web')).to.include.members([...pods]);
    await patch({ image: null });
    await expectReady();
    await expectNoneLost();
    expect(await relayPods(node, namespace, 'web')).to.include.members([...pods]);
  });

  it('while the operator is gone, and when it comes back', async () => {
    const pods = await relayPods(node, namespace, 'web');
    const operator = ['-n', 'realm-operator-system', 'scale', 'deployment/realm-operator'];
    await kubectl(node, [...operator, '--replicas=0']);
    await kubectl(node, [
      '-n',
      'realm-operator-system',
      'wait',
      '--for=delete',
      'pod',
      '--all',
      '--timeout=60s',
    ]);
    await kubectl(node, [...operator, '--replicas=1']);
    await installOperator(node);
    await expectNoneLost();
    expect(await relayPods(node, namespace, 'web')).to.deep.equal(pods);
  });
});
