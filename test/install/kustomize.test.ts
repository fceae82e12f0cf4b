import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { defaultRelayImage } from '../../src/desired/relay-image.ts';
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
    let manifests: readonly Manifest[] = [];
    before(async () => {
      manifests = loadAll(await runOrThrow([...programs.kubectl, 'kustomize', config])) as Manifest[];
    });

    it('holds what an installation needs', () => {
      expect(manifests.map(({ kind }) => kind)).to.have.members([
        'Namespace',
        'CustomResourceDefinition',
        'ServiceAccount',
        'ClusterRole',
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

    it('runs this version, with the relay image of its own default', () => {
      const deployment = JSON.stringify(manifests.find(({ kind }) => kind === 'Deployment'));
      expect(deployment).to.include(`/realm-operator:${version}"`);
      expect(deployment).to.include(`"--relay-image=${defaultRelayImage}"`);
    });
  });
}
