import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { chart, olderChart } from '../../chart/chart.ts';
import { eventually } from '../../support/eventually.ts';
import { Helm } from '../../cluster/helm.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { type Backend, startBackend } from '../backend.ts';
import { imageArchive, imageTag, kubectl, printDiagnosis } from '../install.ts';
import { applyManifest, clusterAddresses, relayManifest, relayPods, webEndpoints } from '../relay.ts';
import { Clients } from './clients.ts';
import { ClusterDns } from './cluster-dns.ts';

const release = 'realm-operator';
const place = 'realm';
const waited = ['--wait', '--timeout', '90s'];

/** The life of a release on a real node, from install to uninstall, while clients lose no connection. */
describe('the Helm chart on a real node', () => {
  let node: TestNode;
  let namespace: string;
  let dns: ClusterDns;
  let older: string;
  let clients: Clients;
  let pods: readonly string[];
  const helm = new Helm();

  before('start a node', async () => {
    older = olderChart();
    node = await startNode([imageArchive]);
    dns = await ClusterDns.start(node);
    namespace = await node.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, namespace, place);
  });

  after('stop the node', async () => {
    await (clients as Clients | undefined)?.stop(); // undefined if they were never started, as with the others
    await (dns as ClusterDns | undefined)?.stop();
    await (node as TestNode | undefined)?.stop();
    helm.remove();
    rmSync(older, { recursive: true });
  });

  /** Runs helm for the release, which must succeed. */
  function run(...args: string[]): Promise<string> {
    return helm.runOrThrow([...args, '--namespace', place, '--kubeconfig', node.kubeconfig]);
  }

  async function expectTested(): Promise<void> {
    expect(await run('test', release, '--timeout', '90s')).to.match(/^Phase:\s+Succeeded$/m);
  }

  it('is installed, and `helm test` finds the operator ready', async () => {
    // The image of the previous version does not exist here; the chart of that version runs ours.
    const tag = `image.tag=${imageTag}`;
    await run('install', release, older, '--create-namespace', '--set', tag, ...waited);
    await expectTested();
  });

  it('serves a RealmRelay', async () => {
    const [six, four]: Backend[] = await Promise.all([
      startBackend(node, namespace, 'backend-six'),
      startBackend(node, namespace, 'backend-four'),
    ]);
    if (six === undefined || four === undefined) throw new Error('two backends were requested');
    const manifest = relayManifest('web', webEndpoints(six, four), { replicas: 2 });
    await applyManifest(node, namespace, 'web', manifest);
    pods = await relayPods(node, namespace, 'web');
    const web = await clusterAddresses(node, namespace, 'web');
    clients = new Clients([web.ipv4, web.ipv6], 443);
  });

  it('is upgraded, with its CRD', async () => {
    await run('upgrade', release, chart, '--set', 'replicaCount=2', ...waited);
    await expectTested();
    expect(await kubectl(node, ['explain', 'realmrelay.spec.paused'])).to.include('FIELD: paused');
  });

  it('is rolled back', async () => {
    await run('rollback', release, '1', ...waited);
    await expectTested();
  });

  it('is uninstalled, and relays keep running', async () => {
    await run('uninstall', release, ...waited);
    const left = ['-n', place, 'get', 'deployments,pods,services', '--output=name'];
    await eventually('nothing left of it', async () => (await kubectl(node, left)) === '');
    expect(await relayPods(node, namespace, 'web')).to.deep.equal(pods);
  });

  it('lost no client connection and no relay Pod', async () => {
    await clients.stop();
    expect(clients.lost).to.deep.equal([]);
    expect(clients.served).to.be.above(0);
    expect(await relayPods(node, namespace, 'web')).to.deep.equal(pods);
  });
});
