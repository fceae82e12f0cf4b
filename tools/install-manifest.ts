import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump, load, loadAll } from 'js-yaml';
import { version } from '../src/lib/version.ts';

const root = join(import.meta.dirname, '..');

type Kustomization = {
  readonly resources: readonly string[];
  readonly labels?: readonly { readonly pairs: Readonly<Record<string, string>> }[];
};

type Manifest = {
  readonly kind: string;
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
};

/** What has to exist before the rest can be created. */
const first = ['Namespace', 'CustomResourceDefinition'];

/** The objects of `kubectl apply -k config/` in one file. Equal sources give equal text. */
export function installManifest(): string {
  const all = objects(join(root, 'config'));
  const ordered = [
    ...all.filter(({ kind }) => first.includes(kind)),
    ...all.filter(({ kind }) => !first.includes(kind)),
  ];
  const documents = ordered.map((manifest) => dump(manifest, { noRefs: true, lineWidth: -1 }));
  return `# realm-operator ${version}: kubectl apply --server-side --filename install.yaml\n${documents.join('---\n')}`;
}

/** The objects of the kustomization in `folder`, which uses only resources and labels. */
function objects(folder: string): Manifest[] {
  const { resources, labels = [] } = load(text(join(folder, 'kustomization.yaml'))) as Kustomization;
  const pairs = Object.assign({}, ...labels.map((each) => each.pairs)) as Readonly<Record<string, string>>;
  return resources
    .flatMap((path) =>
      path.endsWith('.yaml')
        ? (loadAll(text(join(folder, path))) as Manifest[])
        : objects(join(folder, path)),
    )
    .map((manifest) => ({
      ...manifest,
      metadata: { ...manifest.metadata, labels: { ...manifest.metadata.labels, ...pairs } },
    }));
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}

if (import.meta.main) {
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, 'dist', 'install.yaml'), installManifest());
}
