import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { Helm } from '../../cluster/helm.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { eventually } from '../../support/eventually.ts';
import { type Backend, startBackend } from '../backend.ts';
import { backendAt } from '../client.ts';
import { imageArchive, installOperator, kubectl, printDiagnosis } from '../install.ts';
import { clusterAddresses, type Endpoint, objectsOf, webEndpoints } from '../relay.ts';
import { Flux, fluxObstacle } from './flux.ts';

/** The path and the target namespace of the Kustomization in docs/gitops.md. */
const edge = 'edge';
const file = 'edge/web.yaml';
const port = 443;

function manifest(name: string, endpoints: readonly Endpoint[], more: object = {}): string {
  const spec = { drainSeconds: 0, ...more, endpoints };
  return dump(
    { apiVersion: 'realm-operator.dev/v1alpha1', kind: 'RealmRelay', metadata: { name }, spec },
    { noRefs: true },
  );
}

describe('GitOps on a real node', () => {
  let node: TestNode;
  let six: Backend;
  let four: Backend;
  let web: string;

  before('start a node', async () => {
    node = await startNode([imageArchive]);
    await installOperator(node);
    await kubectl(node, ['create', 'namespace', edge]);
    [six, four] = await Promise.all([
      startBackend(node, edge, 'backend-six'),
      startBackend(node, edge, 'backend-four'),
    ]);
    web = manifest('web', webEndpoints(six, four));
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, edge);
  });

  after('stop the node', async () => {
    await (node as TestNode | undefined)?.stop(); // undefined if it never started
  });

  async function generation(): Promise<string> {
    return kubectl(node, ['-n', edge, 'get', 'rr/web', '--output=jsonpath={.metadata.generation}']);
  }

  async function expectServed(): Promise<void> {
    const { ipv4, ipv6 } = await clusterAddresses(node, edge, 'web');
    await eventually('both families served', async () => {
      return (
        (await backendAt(ipv6, port)) === 'backend-six' && (await backendAt(ipv4, port)) === 'backend-four'
      );
    });
  }

  async function expectNothingLeft(name: string): Promise<void> {
    await eventually(`nothing left of ${name}`, async () => (await objectsOf(node, edge, name)).length === 0);
  }

  const obstacle = fluxObstacle();
  const title = 'Flux’s kustomize-controller';
  if (obstacle === undefined) describe(title, withFlux);
  else describe.skip(`${title} (skipped: ${obstacle})`, withFlux);

  function withFlux(): void {
    let flux: Flux;
    before(async () => {
      // The time limit holds for a bad image; an hour between two reconciles leaves them to the test.
      flux = await Flux.start(node, { dependsOn: [], interval: '1h', timeout: '20s' });
    });

    afterEach(function () {
      if (this.currentTest?.state === 'failed') process.stdout.write(`${flux.log()}\n`);
    });

    after(async () => {
      await (flux as Flux | undefined)?.stop(); // undefined if it never started
    });

    it('makes a commit a Ready relay, and waits for that', async () => {
      const revision = await flux.commit('a relay', { [file]: web });
      expect(await flux.settled(revision)).to.include({ status: 'True', applied: revision });
      const ready = '--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}';
      expect(await kubectl(node, ['-n', edge, 'get', 'rr/web', ready])).to.equal('True');
      await expectServed();
    });

    it('is not Ready after a commit with a port conflict, reports our sentence, and the relay keeps serving', async () => {
      const endpoints = webEndpoints(six, four).map((endpoint) => ({
        ...endpoint,
        network: { ipv6Only: false },
      }));
      const revision = await flux.commit('a conflict', { [file]: manifest('web', endpoints) });
      const { status, message } = await flux.settled(revision);
      expect(status).to.equal('False');
      expect(message, message).to.match(
        /cannot share TCP port 443: set ipv6Only: true on "web-v6", or choose another port/,
      );
      await expectServed();
    });

    it('restores the relay after a revert', async () => {
      const revision = await flux.revert();
      expect(await flux.settled(revision)).to.include({ status: 'True', applied: revision });
      await expectServed();
    });

    it('is not Ready after its time limit if an image does not exist, and the relay keeps serving', async () => {
      const image = { image: 'registry.invalid/realm:0' };
      const revision = await flux.commit('a bad image', {
        [file]: manifest('web', webEndpoints(six, four), image),
      });
      const { status, reason, message } = await flux.settled(revision);
      expect([status, reason]).to.deep.equal(['False', 'HealthCheckFailed']);
      expect(message).to.include('RealmRelay/edge/web');
      await expectServed();
      expect(await flux.settled(await flux.revert())).to.include({ status: 'True' });
    });

    it('undoes drift once, and then nobody writes any more', async () => {
      const patch = JSON.stringify([{ op: 'replace', path: '/spec/endpoints/0/remotes/0/port', value: 1 }]);
      await kubectl(node, ['-n', edge, 'patch', 'rr/web', '--type=json', '--patch', patch]);
      const drifted = await generation();
      expect(await flux.reconcile()).to.include({ status: 'True' });
      const undone = await generation();
      expect(Number(undone)).to.equal(Number(drifted) + 1);
      await expectServed();
      for (let times = 0; times < 2; times += 1) await flux.reconcile();
      expect(await generation()).to.equal(undone);
    });

    it('leaves replicas that somebody else set, if they are not in Git', async () => {
      await kubectl(node, ['-n', edge, 'scale', 'rr/web', '--replicas=2']);
      expect(await flux.reconcile()).to.include({ status: 'True' });
      const replicas = ['-n', edge, 'get', 'rr/web', '--output=jsonpath={.spec.replicas}'];
      expect(await kubectl(node, replicas)).to.equal('2');
    });

    it('prunes a removed file without leftovers', async () => {
      const other = manifest('other', webEndpoints(six, four));
      await flux.settled(await flux.commit('another relay', { 'edge/other.yaml': other }));
      expect(await objectsOf(node, edge, 'other')).to.include('deployment.apps/other');
      const revision = await flux.commit('without it', { 'edge/other.yaml': undefined });
      expect(await flux.settled(revision)).to.include({ status: 'True', applied: revision });
      await expectNothingLeft('other');
      await expectServed();
    });

    it('prunes everything with the Kustomization', async () => {
      await kubectl(node, ['-n', 'flux-system', 'delete', 'kustomization/relays', '--timeout=60s']);
      await expectNothingLeft('web');
    });
  }

  describe('other tools prune the same way', () => {
    let folder: string;
    const helm = new Helm();

    before(() => {
      folder = mkdtempSync(join(tmpdir(), 'realm-operator-prune-'));
    });

    after(() => {
      helm.remove();
      rmSync(folder, { recursive: true });
    });

    it('kubectl apply --prune', async () => {
      const labelled = (name: string): string =>
        manifest(name, webEndpoints(six, four)).replace('metadata:', 'metadata:\n  labels: {team: edge}');
      writeFileSync(join(folder, 'kept.yaml'), labelled('kept'));
      writeFileSync(join(folder, 'removed.yaml'), labelled('removed'));
      const kinds = '--prune-allowlist=realm-operator.dev/v1alpha1/RealmRelay';
      const apply = ['-n', edge, 'apply', '--prune', '--selector=team=edge', kinds, '-f', folder];
      await kubectl(node, apply);
      await kubectl(node, [
        '-n',
        edge,
        'wait',
        '--for=condition=Ready',
        'rr/kept',
        'rr/removed',
        '--timeout=60s',
      ]);
      rmSync(join(folder, 'removed.yaml'));
      expect(await kubectl(node, apply)).to.include('realmrelay.realm-operator.dev/removed pruned');
      await expectNothingLeft('removed');
      expect(await objectsOf(node, edge, 'kept')).to.include('deployment.apps/kept');
    });

    it('helm upgrade', async () => {
      const chart = join(folder, 'chart');
      mkdirSync(join(chart, 'templates'), { recursive: true });
      writeFileSync(join(chart, 'Chart.yaml'), dump({ apiVersion: 'v2', name: 'relays', version: '1.0.0' }));
      for (const name of ['first', 'second']) {
        writeFileSync(join(chart, 'templates', `${name}.yaml`), manifest(name, webEndpoints(six, four)));
      }
      const flags = ['--namespace', edge, '--kubeconfig', node.kubeconfig, '--wait', '--timeout', '90s'];
      await helm.runOrThrow(['install', 'relays', chart, ...flags]);
      expect(await objectsOf(node, edge, 'second')).to.include('deployment.apps/second');
      rmSync(join(chart, 'templates', 'second.yaml'));
      await helm.runOrThrow(['upgrade', 'relays', chart, ...flags]);
      await expectNothingLeft('second');
      await helm.runOrThrow(['uninstall', 'relays', ...flags]);
      await expectNothingLeft('first');
    });
  });
});
