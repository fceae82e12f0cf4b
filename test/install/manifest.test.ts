import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { installManifest } from '../../tools/install-manifest.ts';
import { binaries } from '../cluster/binaries.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { runOrThrow } from '../cluster/run.ts';
import { describeWithCluster } from '../cluster/shared.ts';

type Manifest = { readonly kind: string; readonly metadata: { readonly name: string } };

const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
const byName = (manifests: readonly Manifest[]): Record<string, Manifest> =>
  Object.fromEntries(manifests.map((manifest) => [nameOf(manifest), comparable(manifest)]));

/** kustomize adds lines to folded texts. */
function comparable(manifest: Manifest): Manifest {
  return JSON.parse(JSON.stringify(manifest).replaceAll(/(\\n)+/g, '\\n')) as Manifest;
}

/** On its own control plane, because it installs the CRD. */
describeWithCluster('install.yaml', () => {
  let own: ControlPlane;
  let folder: string;
  let file: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realm-install-'));
    file = join(folder, 'install.yaml');
    writeFileSync(file, installManifest());
    own = await startControlPlane();
  });

  after(async () => {
    rmSync(folder, { recursive: true });
    await own.stop();
  });

  it('contains what `kubectl apply -k config/` installs', async function () {
    const programs = binaries();
    if (typeof programs === 'string') this.skip();
    const kustomized = await runOrThrow([...programs.kubectl, 'kustomize', 'config']);
    const [ours, theirs] = [installManifest(), kustomized].map((text) => byName(loadAll(text) as Manifest[]));
    expect(ours).to.deep.equal(theirs);
  });

  it('is applied as it is, and changes nothing when it is applied again', async () => {
    const apply = async (): Promise<string[]> => {
      const { stdout, stderr, code } = await own.kubectl(['apply', '--server-side', '--filename', file]);
      expect(code, stderr).to.equal(0);
      return stdout.trim().split('\n');
    };
    const objects = loadAll(installManifest()) as Manifest[];
    expect(await apply()).to.have.length(objects.length);
    const deployment = '/apis/apps/v1/namespaces/realm-operator-system/deployments/realm-operator';
    const before = (await own.request('GET', deployment)).json() as { metadata: { generation: number } };
    expect(await apply()).to.have.length(objects.length);
    expect((await own.request('GET', deployment)).json()).to.have.nested.property(
      'metadata.generation',
      before.metadata.generation,
    );
    const made = await own.request(
      'POST',
      '/apis/realm-operator.dev/v1alpha1/namespaces/default/realmrelays',
      {
        apiVersion: 'realm-operator.dev/v1alpha1',
        kind: 'RealmRelay',
        metadata: { name: 'web' },
        spec: {
          endpoints: [
            {
              name: 'web',
              listen: { address: '::', port: 443 },
              remotes: [{ address: '192.0.2.1', port: 443 }],
            },
          ],
        },
      },
    );
    expect(made.status, made.text).to.equal(201);
  });
});
