import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { bundle } from './build.ts';

const root = join(import.meta.dirname, '..');

/** A component of a CycloneDX bill of materials, with the fields that are used here. */
export type Component = {
  readonly 'bom-ref'?: string;
  readonly type: 'application' | 'container' | 'library';
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly [{ readonly expression: string }];
};

/** A bill of materials. Source: the CycloneDX JSON schema, version 1.6. */
export type Sbom = {
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
};

/** One package of package-lock.json. */
type Locked = {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
  /** Needed only to develop this project. */
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
};

type Lockfile = { readonly name: string; readonly packages: Readonly<Record<string, Locked>> };

/**
 * The packages that an installation contains, from package-lock.json: names, versions, licences, hashes and dependencies.
 * They are those that the programs bundle, and Node.js. Equal sources give equal text, without a timestamp and a serial
 * number. (`npm sbom` knows nothing of bundles.)
 */
export function packageSbom(metafile: Metafile): Sbom {
  const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile;
  const bundled = bundledPackages(metafile);
  const shipped = Object.entries(lockfile.packages).filter(
    ([path, { dev = false }]) => !dev || bundled.has(path),
  );
  const names = new Set(shipped.map(([path, locked]) => purl(nameAt(path) ?? lockfile.name, locked)));
  const components = shipped.map(([path, locked]) => component(nameAt(path) ?? lockfile.name, locked));
  const [own, ...others] = components;
  if (own === undefined) throw new Error('package-lock.json has no packages');
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: { component: { ...own, type: 'application' } },
    components: others,
    dependencies: shipped.map(([path, locked]) => ({
      ref: purl(nameAt(path) ?? lockfile.name, locked),
      dependsOn: dependenciesOf(path, locked, lockfile).filter((name) => names.has(name)),
    })),
  };
}

function component(name: string, locked: Locked): Component {
  const { version, license = '', integrity } = locked;
  const ref = purl(name, locked);
  const [, algorithm, digest] = /^(sha512)-(.+)$/.exec(integrity ?? '') ?? [];
  return {
    'bom-ref': ref,
    type: 'library',
    name,
    version,
    purl: ref,
    ...(algorithm !== undefined && {
      hashes: [{ alg: 'SHA-512', content: Buffer.from(digest ?? '', 'base64').toString('hex') }],
    }),
    ...(license !== '' && { licenses: [{ expression: license }] }),
  };
}

/** Source: the package URL specification, type npm. */
function purl(name: string, { version }: Locked): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** The dependencies of the package at `path`, found like Node.js does: in its own node_modules, or in one further up. */
function dependenciesOf(path: string, locked: Locked, { packages }: Lockfile): string[] {
  const { dependencies, optionalDependencies, devDependencies } = locked;
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies }); // of this project, bundled
  return names.flatMap((name) => {
    for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
      const found = packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`];
      if (found !== undefined) return purl(name, found);
      if (folder === '') return []; // optional, and not locked
    }
  });
}

/**
 * The contents of the image: those of the package, for this processor, and the libraries that Node.js is linked to.
 *
 * @param rootfs  the image's root file system, built by tools/image.sh.
 */
export function imageSbom(sbom: Sbom, rootfs: string): Sbom {
  const isShipped = ({ name }: Component): boolean => !name.startsWith('node-linux-') || name === nodePackage;
  const libraries = files(rootfs).filter((path) => /\.so(\.|$)/.test(path));
  return {
    ...sbom,
    metadata: { ...sbom.metadata, component: { ...sbom.metadata.component, type: 'container' } },
    components: [...sbom.components.filter(isShipped), ...libraries.map((path) => library(rootfs, path))],
    dependencies: [],
  };
}

/** The npm package that the image's Node.js comes from. */
const nodePackage = `node-${process.platform}-${process.arch}`;

/** The npm packages with at least one file in a bundle, as paths of package-lock.json. */
export function bundledPackages({ outputs }: Metafile): ReadonlySet<string> {
  const sources = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
  return new Set(sources.flatMap((source) => packagePath(source) ?? []));
}

function packagePath(source: string): string | undefined {
  const name = nameAt(source);
  if (name === undefined) return undefined;
  const [first, last] = [source.indexOf('node_modules/'), source.lastIndexOf('node_modules/')];
  return `${source.slice(first, last)}node_modules/${name}`;
}

/** `node_modules/@scope/name/file.js` → `@scope/name`; for a nested package, the innermost name. */
function nameAt(path: string): string | undefined {
  return /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
}

function files(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length))
    .sort();
}

function library(rootfs: string, path: string): Component {
  const content = createHash('sha256')
    .update(readFileSync(join(rootfs, path)))
    .digest('hex');
  return { type: 'library', name: path.slice(1), hashes: [{ alg: 'SHA-256', content }] };
}

if (import.meta.main) {
  const folder = join(root, 'dist', 'sbom');
  const sbom = packageSbom(await bundle({ write: false }));
  const image = imageSbom(sbom, join(root, 'dist', 'image', 'rootfs'));
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries({ package: sbom, image }))
    writeFileSync(join(folder, `${name}.cdx.json`), `${JSON.stringify(content, null, 2)}\n`);
}
