import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { binaries } from '../cluster/binaries.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { runOrThrow } from '../cluster/run.ts';
import { type Manifest, rendered } from './chart.ts';

const config = join(import.meta.dirname, '..', '..', 'config');
// Two releases in one namespace must not select each other's Pods; config/ is there only once.
const instance = 'app.kubernetes.io/instance';

/** `manifest` without what is Helm's: the labels of the object, its resource policy, the release in selectors. */
function withoutHelm({ metadata, ...rest }: Manifest): object {
  const { labels: _labels, annotations: _annotations, ...plain } = metadata;
  return { metadata: plain, ...(plainValue(rest) as object) };
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(/\n+/g, '\n'); // kustomize adds lines to folded texts
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => name !== instance);
  return Object.fromEntries(entries.map(([name, inner]) => [name, plainValue(inner)]));
}

function byName(manifests: readonly Manifest[]): Record<string, object> {
  return Object.fromEntries(
    manifests.map((manifest) => [`${manifest.kind}/${manifest.metadata.name}`, withoutHelm(manifest)]),
  );
}

describeWithHelm('chart and config/', (helm) => {
  it('install the same objects', async function () {
    const programs = binaries();
    if (typeof programs === 'string') this.skip();
    const kustomized = loadAll(await runOrThrow([...programs.kubectl, 'kustomize', config])) as Manifest[];
    const released = await rendered(helm);
    const installed = released.filter(({ metadata }) => !JSON.stringify(metadata).includes('helm.sh/hook'));
    // The namespace is the user's: helm install --create-namespace.
    expect(byName(installed)).to.deep.equal(byName(kustomized.filter(({ kind }) => kind !== 'Namespace')));
  });
});
