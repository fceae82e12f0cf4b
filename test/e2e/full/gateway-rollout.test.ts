import { expect } from 'chai';
import { hasGatewayCrds } from '../../cluster/crds.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { eventually } from '../../support/eventually.ts';
import { backendPod, backendPort } from '../backend.ts';
import { backendAt } from '../client.ts';
import { applyGateway, installGatewayApi } from '../gateway.ts';
import { imageArchive, kubectl, printDiagnosis } from '../install.ts';
import { Clients } from './clients.ts';

const port = 7000;

/** Three Pods that stop accepting five seconds before they end, and their Service. */
const backend = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'backend' },
    spec: { selector: { app: 'backend' }, ports: [{ port: 80, targetPort: backendPort }] },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'backend' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'backend' } },
      template: {
        metadata: { labels: { app: 'backend' } },
        spec: backendPod('backend', { lifecycle: { preStop: { sleep: { seconds: 5 } } } }),
      },
    },
  },
];

const title = hasGatewayCrds ? '' : ' (skipped: `make cluster` could not fetch the CRDs of the Gateway API)';

(hasGatewayCrds ? describe : describe.skip)(`clients of a Gateway whose backend is replaced${title}`, () => {
  let node: TestNode;
  let namespace: string;

  before('start a node with an operator, the Gateway API and a Gateway', async () => {
    node = await startNode([imageArchive]);
    namespace = await installGatewayApi(node);
    await applyGateway(node, namespace, [{ name: 'tcp', port, protocol: 'TCP' }], backend);
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, namespace);
  });

  after('stop the node', async () => {
    await (node as TestNode | undefined)?.stop(); // undefined if it never started
  });

  /** The addresses of the Gateway, once it is programmed. */
  async function addresses(): Promise<string[]> {
    return eventually('the Gateway is programmed', async () => {
      const text = await kubectl(node, ['-n', namespace, 'get', 'gateway/edge', '-o', 'json']);
      const { status } = JSON.parse(text) as {
        status?: {
          addresses?: { value: string }[];
          conditions?: { type: string; status: string }[];
        };
      };
      const isReady = status?.conditions?.some(
        (condition) => condition.type === 'Programmed' && condition.status === 'True',
      );
      return isReady === true && status?.addresses?.map(({ value }) => value);
    });
  }

  async function rolledOut(): Promise<void> {
    await kubectl(node, ['-n', namespace, 'rollout', 'status', 'deployment/backend', '--timeout=90s']);
  }

  it('lose no connection and wait for none longer than a second, while every Pod of it is replaced twice', async () => {
    await rolledOut();
    const hosts = await addresses();
    for (const host of hosts) await eventually('the backend answers', () => backendAt(host, port));
    const clients = new Clients(hosts, port);
    await eventually('clients are served', () => clients.served > 0);
    for (let round = 0; round < 2; round += 1) {
      await kubectl(node, ['-n', namespace, 'rollout', 'restart', 'deployment/backend']);
      await rolledOut();
    }
    const { served } = clients;
    await eventually('clients are served on', () => clients.served > served + 20);
    await clients.stop();
    expect(clients.lost).to.deep.equal([]);
    // The time is what is promised; this test runs by hand, not with every change on a busy machine
    expect(clients.longestWaitMs).to.be.below(1000);
  });
});
