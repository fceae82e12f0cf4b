import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { customResourceDefinition } from '../../src/api/crd.ts';
import { version } from '../../src/lib/version.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { make, root } from '../packages/installed.ts';
import { chart, releaseNamespace } from './chart.ts';

type Chart = {
  readonly version: string;
  readonly icon: string;
  readonly sources: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
};

describe('chart: metadata', () => {
  const { icon, sources, annotations, ...head } = load(
    readFileSync(join(chart, 'Chart.yaml'), 'utf8'),
  ) as Chart;
  const listed = (key: string): unknown[] => load(annotations[`artifacthub.io/${key}`] ?? '[]') as unknown[];

  it('names this version and its image', () => {
    expect(head.version).to.equal(version);
    expect(listed('images')).to.deep.equal([
      {
        name: 'realm-operator',
        image: `ghcr.io/realm-operator/realm-operator:${version}`,
        platforms: ['linux/amd64', 'linux/arm64'],
      },
    ]);
  });

  it('lists the CRD, with an example', () => {
    const { metadata, spec } = customResourceDefinition() as {
      metadata: { name: string };
      spec: { names: { kind: string }; versions: { name: string }[] };
    };
    const [{ description, displayName, ...crd } = {}] = listed('crds') as Record<string, string>[];
    expect(crd).to.deep.equal({
      kind: spec.names.kind,
      name: metadata.name,
      version: spec.versions[0]?.name,
    });
    expect([description, displayName]).to.not.include(undefined);
    expect(listed('crdsExamples')).to.have.nested.property('[0].kind', spec.names.kind);
  });

  it('has an icon that is in this repository', () => {
    const [source = ''] = sources;
    const base = `${source.replace('github.com', 'raw.githubusercontent.com')}/main/`;
    expect(icon.startsWith(base), icon).to.equal(true);
    expect(readFileSync(join(root, icon.slice(base.length)), 'utf8')).to.match(/^<svg /);
  });
});

describeWithHelm('chart: the package', (helm) => {
  it('passes helm lint, and renders as the folder does', async function () {
    make('chart-package');
    const template = async (from: string): Promise<string> =>
      helm.runOrThrow(['template', 'realm-operator', from, '--namespace', releaseNamespace]);
    const file = join(root, 'dist', 'chart', `realm-operator-${version}.tgz`);
    expect(await template(file)).to.equal(await template(chart));
    const first = readFileSync(file);
    make('chart-package');
    expect(readFileSync(file).equals(first)).to.equal(true);
  });
});
