import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { type Manifest, matrix, rendered } from '../chart/chart.ts';
import { goldenRelayManifests } from '../desired/golden-relays.ts';
import { Edge } from '../operator/edge.ts';

const root = join(import.meta.dirname, '..', '..');
const ways = { 'client-side': [], 'server-side': ['--server-side', '--force-conflicts'] };

/** With a control plane of its own: config/ brings what is of the whole cluster. */
describeWithCluster('GitOps: after a sync nothing differs', () => {
  let own: ControlPlane;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-gitops-'));
    own = await startControlPlane({
      manifests: [join(root, 'crds', 'realmrelays.yaml'), join(root, 'config', 'namespace.yaml')],
      controllerManager: false,
    });
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await own.stop();
  });

  async function kubectl(...args: string[]): Promise<string> {
    const { stdout, stderr, code } = await own.kubectl(args);
    expect(code, `kubectl ${args.join(' ')}: ${stdout}${stderr}`).to.equal(0); // of diff: nothing differs
    return stdout;
  }

  for (const [way, flags] of Object.entries(ways)) {
    it(`config/, applied ${way}`, async () => {
      const config = ['--kustomize', join(root, 'config')];
      await kubectl('apply', ...flags, ...config);
      expect(await kubectl('diff', ...flags, ...config)).to.equal('');
      const again = await kubectl('apply', ...flags, ...config);
      if (flags.length === 0) expect(again).not.to.match(/created|configured/);
    });

    it(`RealmRelays, applied ${way}, while the operator works on them`, async () => {
      const edge = new Edge(own, await own.namespace());
      const file = join(folder, `${edge.namespace}.yaml`);
      writeFileSync(file, relays(edge.namespace));
      await edge.start();
      try {
        await kubectl('apply', ...flags, '--filename', file);
        for (const name of Object.keys(goldenRelayManifests)) {
          await edge.expect(`realmrelays/${name}`, ({ metadata, status }) => {
            return status?.observedGeneration === metadata.generation;
          });
        }
        expect(await kubectl('diff', ...flags, '--filename', file)).to.equal('');
        await kubectl('--namespace', edge.namespace, 'annotate', 'realmrelay', 'one-endpoint', 'team=edge');
        await kubectl('--namespace', edge.namespace, 'scale', 'realmrelay', 'one-endpoint', '--replicas=3');
        expect(await kubectl('diff', ...flags, '--filename', file)).to.equal('');
        await kubectl('apply', ...flags, '--filename', file);
        const { metadata, spec } = await edge.expect('realmrelays/one-endpoint');
        expect(metadata.annotations).to.include({ team: 'edge' });
        expect(spec).to.have.property('replicas', 3);
      } finally {
        await edge.stop();
      }
    });
  }

  // As Argo CD applies a chart: what `helm template` renders. Its selectors are not those of config/, hence the name.
  describeWithHelm('the chart', (helm) => {
    for (const title of ['the defaults', 'Pods to taste', 'a ServiceMonitor alone']) {
      for (const [way, flags] of Object.entries(ways)) {
        it(`${title}, applied ${way}`, async () => {
          const values = { ...matrix[title], fullnameOverride: 'of-the-chart' };
          const manifests = (await rendered(helm, values)).filter(isSynced);
          const file = join(folder, 'chart.yaml');
          writeFileSync(file, yaml(manifests));
          await kubectl('apply', ...flags, '--filename', file);
          expect(await kubectl('diff', ...flags, '--filename', file)).to.equal('');
        });
      }
    }
  });
});

/** Whether a sync applies it here: hooks are for `helm test`, and the Prometheus Operator is not installed. */
function isSynced({ apiVersion, metadata }: Manifest): boolean {
  return !apiVersion.startsWith('monitoring.') && !JSON.stringify(metadata).includes('helm.sh/hook');
}

/** The RealmRelays of the golden files, each under its file's name, in `namespace`. */
function relays(namespace: string): string {
  return yaml(
    Object.entries(goldenRelayManifests).map(([name, manifest]) => ({
      ...manifest,
      metadata: { name, namespace },
    })),
  );
}

function yaml(documents: readonly object[]): string {
  return documents.map((document) => dump(document, { noRefs: true })).join('---\n');
}
