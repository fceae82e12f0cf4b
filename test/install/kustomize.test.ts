import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump, loadAll } from 'js-yaml';
import { version } from '../../src/lib/version.ts';
import { binaries } from '../cluster/binaries.ts';
import { runOrThrow } from '../cluster/run.ts';
import { emptyPaths } from '../support/empty-paths.ts';

type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Record<string, unknown>;
};

const programs = binaries();
const config = join(import.meta.dirname, '..', '..', 'config');

if (typeof programs === 'string') {
  describe.skip(`config/ (skipped: ${programs})`, () => {
    it('is built by kustomize');
  });
} else {
  describe('config/', () => {
    const { kubectl } = programs;
    let manifests: readonly Manifest[] = [];
    before(async () => {
      manifests = loadAll(await runOrThrow([...kubectl, 'kustomize', config])) as Manifest[];
    });

    it('holds what an installation needs', () => {
      expect(manifests.map(({ kind }) => kind)).to.have.members([
        'Namespace',
        'CustomResourceDefinition',
        'CustomResourceDefinition',
        'CustomResourceDefinition',
        'ServiceAccount',
        'ClusterRole',
        'ClusterRole', // of users who view
        'ClusterRole', // of users who edit
        'ClusterRoleBinding',
        'ClusterRole', // of Gateways
        'ClusterRoleBinding',
        'ClusterRole', // of GatewayClasses
        'ClusterRoleBinding',
        'Role',
        'RoleBinding',
        'Deployment',
        'ValidatingAdmissionPolicy',
        'ValidatingAdmissionPolicyBinding',
        'ValidatingAdmissionPolicy',
        'ValidatingAdmissionPolicyBinding',
        'ValidatingAdmissionPolicy',
        'ValidatingAdmissionPolicyBinding',
      ]);
    });

    it('writes nothing empty, which the API server drops and tools then see as drift', () => {
      expect(emptyPaths(manifests)).to.deep.equal([]);
    });

    it('runs this version, and gives relays the same image', () => {
      expect(containerOf(manifests)).to.include({
        image: `ghcr.io/realm-operator/realm-operator:${version}`,
      });
      expect(containerOf(manifests).args.join(' ')).to.not.include('--relay-image');
    });

    it('takes images of an overlay, for relays too', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
      try {
        cpSync(config, join(folder, 'config'), { recursive: true });
        cpSync(join(config, '..', 'crds'), join(folder, 'crds'), { recursive: true });
        const name = 'ghcr.io/realm-operator/realm-operator';
        const overlay = {
          resources: ['../config'],
          images: [{ name, newName: 'registry.example/mirror', newTag: '9' }],
        };
        mkdirSync(join(folder, 'overlay'));
        writeFileSync(join(folder, 'overlay', 'kustomization.yaml'), dump(overlay));
        const text = await runOrThrow([...kubectl, 'kustomize', join(folder, 'overlay')]);
        expect(containerOf(loadAll(text) as Manifest[]).image).to.equal('registry.example/mirror:9');
        expect(text).to.not.include(`${name}:`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

type Container = { readonly image: string; readonly args: readonly string[] };

function containerOf(manifests: readonly Manifest[]): Container {
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  const { template } = deployment?.spec as { template: { spec: { containers: Container[] } } };
  const [container] = template.spec.containers;
  if (container === undefined) throw new Error('no container');
  return container;
}
