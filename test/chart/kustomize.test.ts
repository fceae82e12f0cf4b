import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { binaries } from '../cluster/binaries.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { runOrThrow } from '../cluster/run.ts';
import { type Manifest, rendered } from './chart.ts';

const config = join(import.meta.dirname, '..', '..', 'config');
/**
 * Fields that only Helm adds: labels of the object, and its resource policy. With the instance label, two releases in one
 * namespace do not select each other's Pods; config/ is installed only once.
 */
const ofHelm = [
  'app.kubernetes.io/instance',
  'app.kubernetes.io/managed-by',
  'app.kubernetes.io/version',
  'helm.sh/chart',
  'helm.sh/resource-policy',
];

/** A leaf value and its path, which begins with kind, namespace and name of its object. */
type Field = { readonly keys: readonly string[]; readonly value: unknown };

function fieldsOf(manifests: readonly Manifest[]): Field[] {
  return manifests.flatMap((manifest) => {
    const { kind, metadata } = manifest;
    return fields(manifest, [`${kind} ${metadata.namespace ?? ''}/${metadata.name}`]);
  });
}

function fields(value: unknown, keys: readonly string[]): Field[] {
  if (typeof value !== 'object' || value === null) return [{ keys, value }];
  const entries = Object.entries(value);
  if (entries.length === 0) return [{ keys, value: JSON.stringify(value) }];
  return entries.flatMap(([key, inner]) => fields(inner, [...keys, key]));
}

function isOfHelm({ keys }: Field): boolean {
  return ofHelm.includes(keys.at(-1) ?? '');
}

/** Each field, by its path. @throws Error if two fields have the same path, because one would be lost. */
function byPath(all: readonly Field[]): ReadonlyMap<string, unknown> {
  const found = new Map(all.map(({ keys, value }) => [keys.join(' > '), comparable(value)]));
  if (found.size !== all.length) throw new Error('two objects have one kind, namespace and name');
  return found;
}

function comparable(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll(/\n+/g, '\n') : value; // kustomize adds lines to folded texts
}

/** The paths at which the two differ, with both values. */
function differences(a: readonly Field[], b: readonly Field[]): string[] {
  const [ofA, ofB] = [byPath(a), byPath(b)];
  const paths = new Set([...ofA.keys(), ...ofB.keys()]);
  return [...paths]
    .filter((path) => ofA.get(path) !== ofB.get(path))
    .map((path) => `${path}: ${String(ofA.get(path))}, ${String(ofB.get(path))}`);
}

describeWithHelm('chart and config/', (helm) => {
  let chart: readonly Manifest[];

  before(async () => {
    // config/ has one image for both programs, the chart one for each.
    const all = (await rendered(helm)).map(withoutRelayImage);
    chart = all.filter(({ metadata }) => !JSON.stringify(metadata).includes('helm.sh/hook'));
  });

  it('install the same objects, down to every field', async function () {
    const programs = binaries();
    if (typeof programs === 'string') this.skip();
    const kustomized = loadAll(await runOrThrow([...programs.kubectl, 'kustomize', config])) as Manifest[];
    // The namespace is the user's: helm install --create-namespace.
    const wanted = fieldsOf(kustomized.filter(({ kind }) => kind !== 'Namespace'));
    const given = fieldsOf(chart).filter((field) => !isOfHelm(field));
    expect(differences(given, wanted)).to.deep.equal([]);
  });

  it('are compared in every field except the labels and annotations of Helm', () => {
    const left = fieldsOf(chart).filter(isOfHelm);
    const places = new Set(left.map(({ keys }) => keys.slice(1).join(' > ')));
    const labels = ofHelm.slice(0, -1).map((key) => `metadata > labels > ${key}`);
    expect([...places]).to.have.members([
      ...labels,
      'metadata > annotations > helm.sh/resource-policy',
      'spec > selector > matchLabels > app.kubernetes.io/instance',
      'spec > template > metadata > labels > app.kubernetes.io/instance',
    ]);
  });
});

function withoutRelayImage(manifest: Manifest): Manifest {
  if (manifest.kind !== 'Deployment') return manifest;
  return JSON.parse(JSON.stringify(manifest).replace(/"--relay-image=[^"]*",/, '')) as Manifest;
}
