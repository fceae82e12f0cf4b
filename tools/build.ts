import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { slim } from './slim.ts';

const root = join(import.meta.dirname, '..');

// Bundled CommonJS modules call require(), which an ES module does not have.
const requireForCommonJs = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
].join('\n');

const programs = { 'realm-operator': 'src/cli/main.ts', realm: 'src/cli/realm.ts' };

const options = {
  absWorkingDir: root,
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // A package of development that `debug` would take along where it is installed, and does without.
  external: ['supports-color'],
  // What a command imports dynamically becomes a file of its own, so that a relay never loads the operator.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: requireForCommonJs },
  minifyWhitespace: true, // V8 keeps the text: 1.1 MB of an idle relay; names stay, for stack traces
  legalComments: 'linked', // the licences of what we bundle go with it
  metafile: true,
  logLevel: 'warning',
} satisfies BuildOptions;

/** What is bundled, where that is not this version into dist/. */
type Bundle = {
  /** Whether the files are written, or only what they would hold is worked out. */
  readonly write: boolean;
  readonly folder?: string;
  /** Of another number, as a test of upgrades wants it. */
  readonly version?: string;
};

/**
 * Bundles the programs: realm-operator.js with all commands, realm.js with the relay alone.
 *
 * @returns esbuild's account of what went into which file.
 */
export async function bundle({ write, folder = options.outdir, version }: Bundle): Promise<Metafile> {
  const plugins = version === undefined ? [slim] : [slim, otherVersion(version)];
  // One by one: what both need would be cut into many small files, each of which costs a relay memory.
  const built = await Promise.all(
    Object.entries(programs).map(([name, source]) =>
      build({ ...options, entryPoints: { [name]: source }, outdir: folder, plugins, write }),
    ),
  );
  const all = built.map(({ metafile }) => metafile);
  return {
    inputs: Object.fromEntries(all.flatMap(({ inputs }) => Object.entries(inputs))),
    outputs: Object.fromEntries(all.flatMap(({ outputs }) => Object.entries(outputs))),
  };
}

function otherVersion(version: string): Plugin {
  const contents = `export const version = ${JSON.stringify(version)};`;
  return {
    name: 'other version',
    setup: (building) => {
      building.onLoad({ filter: /src\/lib\/version\.ts$/ }, () => ({ contents, loader: 'ts' }));
    },
  };
}

/**
 * The sources in the files that `output` loads.
 *
 * @param output  a key of `metafile.outputs`, e.g. `dist/realm.js`.
 * @param when    at its start alone, or ever.
 */
export function bundledSources(
  metafile: Metafile,
  output: string,
  when: 'start' | 'ever' = 'ever',
): ReadonlySet<string> {
  const sources = new Set<string>();
  const seen = new Set<string>();
  const open = [output];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    const entry = metafile.outputs[file];
    if (seen.has(file) || entry === undefined) continue; // undefined: a module of Node
    seen.add(file);
    for (const source of Object.keys(entry.inputs)) sources.add(source);
    const loaded = entry.imports.filter(({ kind }) => when === 'ever' || kind !== 'dynamic-import');
    open.push(...loaded.map(({ path }) => path));
  }
  return sources;
}

if (import.meta.main) {
  rmSync(join(root, 'dist', 'chunks'), { recursive: true, force: true }); // their names change with what they hold
  await bundle({ write: true });
  for (const name of Object.keys(programs)) chmodSync(join(root, 'dist', `${name}.js`), 0o755);
}
