import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { bundle } from '../../tools/build.ts';
import { licenceProblems } from '../../tools/licences.ts';
import { bundledPackages, packageSbom } from '../../tools/sbom.ts';

type Manifest = { readonly dependencies: Record<string, string> };

const manifest = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'),
) as Manifest;

describe('bill of materials', () => {
  it('names every dependency of the package, with version, licence and hash', () => {
    const { components } = packageSbom();
    for (const [name, version] of Object.entries(manifest.dependencies)) {
      const found = components.find((component) => component.name === name);
      expect(found, name).to.include({ version, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` });
      expect(found?.licenses, name).to.have.length(1);
      expect(found?.hashes?.[0]?.content, name).to.match(/^[0-9a-f]{128}$/);
    }
  });

  it('leaves out what only development needs', () => {
    const names = packageSbom().components.map(({ name }) => name);
    expect(names).to.not.include.members(['mocha', 'typescript', 'eslint']);
  });

  it('connects each package with what it depends on', () => {
    const { components, dependencies } = packageSbom();
    const refs = new Set(components.map((component) => component['bom-ref']));
    const of = (name: string): readonly string[] =>
      dependencies.find(({ ref }) => ref.startsWith(`pkg:npm/${name}@`))?.dependsOn ?? [];
    expect(of('pino').some((ref) => ref.startsWith('pkg:npm/sonic-boom@'))).to.equal(true);
    expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).to.deep.equal(
      [],
    );
  });

  it('covers every package that is bundled into the programs', async () => {
    const names = new Set(packageSbom().components.map(({ name }) => name));
    const bundled = bundledPackages(await bundle({ write: false }));
    expect(bundled).to.include('undici');
    expect([...bundled].filter((name) => !names.has(name))).to.deep.equal([]);
  });
});

describe('licences', () => {
  it('of all that is shipped are agreed to', () => {
    expect(licenceProblems(packageSbom().components)).to.deep.equal([]);
  });

  it('names a package whose licence is unknown or not agreed to', () => {
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
