import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { slim } from './slim.ts';

const root = join(import.meta.dirname, '..');

// Bundled CommonJS modules call require(), which an ES module does not have. A Node.js that is too old has no such call either,
// and gets its message later.
const requireForCommonJs =
  "const require = process.getBuiltinModule?.('node:module').createRequire(import.meta.url);";
// The same where the module's URL names no file.
const requireOfOneFile = requireForCommonJs.replace('import.meta.url', 'process.execPath');

const programs = {
  'realm-operator': 'src/cli/main.ts',
  realm: 'src/cli/realm.ts',
};

const workerSource = 'src/relay/workers/relay-worker.ts';

const options = {
  absWorkingDir: root,
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // A development package that `debug` would bundle if it is installed, but does not need.
  external: ['supports-color'],
  // Dynamic imports of a command become separate files, so that a relay never loads the operator.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: requireForCommonJs },
  minifyWhitespace: true, // V8 keeps the source text, 1.1 MB in an idle relay; names stay, for stack traces
  legalComments: 'linked', // ships the licences of bundled packages
  metafile: true,
  logLevel: 'warning',
} satisfies BuildOptions;

/** The options of a bundle; by default it is this version, in dist/. */
type Bundle = {
  /** Whether the files are written, or only their contents are computed. */
  readonly write: boolean;
  readonly folder?: string;
  /** Another version number, for a test of upgrades. */
  readonly version?: string;
};

/**
 * Bundles the programs: realm-operator.js with all commands, and realm.js with the relay alone. Both have the program of
 * its worker threads in them.
 *
 * @returns esbuild's metafile: the inputs of each output file, and those of the worker's program as `relay-worker.js`,
 * although that is no file.
 */
export async function bundle({ write, folder = options.outdir, version }: Bundle): Promise<Metafile> {
  const worker = await bundledWorker();
  const plugins = [slim, worker.plugin, ...(version === undefined ? [] : [otherVersion(version)])];
  // Separate builds: together, shared code would be split into many small files, each of which costs a relay memory.
  const built = await Promise.all(
    Object.entries(programs).map(([name, source]) =>
      build({ ...options, entryPoints: { [name]: source }, outdir: folder, plugins, write }),
    ),
  );
  const all = [worker, ...built].map(({ metafile }) => metafile);
  return {
    inputs: Object.fromEntries(all.flatMap(({ inputs }) => Object.entries(inputs))),
    outputs: Object.fromEntries(all.flatMap(({ outputs }) => Object.entries(outputs))),
  };
}

/** Bundles `realm-operator` into the one file `outfile`, for an executable that can load no other. */
export async function bundleInOneFile(outfile: string): Promise<void> {
  const {
    outdir: _outdir,
    splitting: _splitting,
    chunkNames: _chunkNames,
    metafile: _metafile,
    ...rest
  } = options;
  await build({
    ...rest,
    entryPoints: [programs['realm-operator']],
    outfile,
    banner: { js: requireOfOneFile },
    legalComments: 'inline',
    plugins: [slim, (await bundledWorker()).plugin],
  });
}

/**
 * The program of a worker thread in one piece, and the plugin that puts it into the program that starts it. It is an ES
 * module, because Node.js does not apply `--import` to a thread that evaluates CommonJS.
 */
async function bundledWorker(): Promise<{ readonly metafile: Metafile; readonly plugin: Plugin }> {
  const { metafile, outputFiles } = await build({
    ...options,
    entryPoints: [workerSource],
    splitting: false,
    banner: { js: requireOfOneFile },
    footer: { js: 'export {};' }, // it has no other statement that makes it one
    legalComments: 'inline',
    plugins: [slim],
    write: false,
  });
  const program = outputFiles.map(({ text }) => text).join('');
  return {
    metafile,
    plugin: replaced(/src\/relay\/workers\/worker-program\.ts$/, { workerProgram: program }),
  };
}

function otherVersion(version: string): Plugin {
  return replaced(/src\/lib\/version\.ts$/, { version });
}

/** Bundles `constants` in place of the module that `filter` names. */
function replaced(filter: RegExp, constants: Readonly<Record<string, string>>): Plugin {
  const lines = Object.entries(constants).map(
    ([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`,
  );
  return {
    name: `replaced ${String(filter)}`,
    setup: (building) => {
      building.onLoad({ filter }, () => ({ contents: lines.join(''), loader: 'ts' }));
    },
  };
}

/**
 * The sources in the files that `output` loads.
 *
 * @param output  a key of `metafile.outputs`, e.g. `dist/realm.js`.
 * @param when  only at start, or at any time.
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
    if (seen.has(file) || entry === undefined) continue; // undefined for a module of Node.js
    seen.add(file);
    for (const source of Object.keys(entry.inputs)) sources.add(source);
    const loaded = entry.imports.filter(({ kind }) => when === 'ever' || kind !== 'dynamic-import');
    open.push(...loaded.map(({ path }) => path));
  }
  return sources;
}

if (import.meta.main) {
  rmSync(join(root, 'dist', 'chunks'), { recursive: true, force: true }); // their names change with their contents
  await bundle({ write: true });
  for (const name of Object.keys(programs)) chmodSync(join(root, 'dist', `${name}.js`), 0o755);
}
