import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readAtMost, TooLargeError } from '../lib/bounded-read.ts';
import { asError, errorCode } from '../lib/errors.ts';
import type { Diagnosis } from '../lib/problem.ts';
import { decodedText, type DecodedText } from './text-encoding.ts';
import { maxCharacters } from './yaml-documents.ts';

/** Whatever takes more is no manifest, and a path may be that of a device without an end. */
const maxFileBytes = 4 * maxCharacters;

/** Where manifests are. */
export type ManifestPaths = {
  /** Files, folders, and `-` for standard input. */
  readonly paths: readonly string[];
  /** Folders that kustomize builds. */
  readonly kustomizations: readonly string[];
  /** Whether folders inside folders are read, too. */
  readonly isRecursive: boolean;
};

/** The text of a file, or why there is none. */
export type ManifestFile = { readonly file: string } & (DecodedText | { readonly failure: Diagnosis });

/** Reads manifests, once or again and again. Standard input is read once; what does not change is built once. */
export class ManifestReader {
  readonly #manifests: ManifestPaths;
  readonly #stdin: NodeJS.ReadableStream;
  #read: Promise<ManifestFile> | undefined;
  readonly #built = new Map<string, { readonly snapshot: string; readonly file: ManifestFile }>();

  constructor(manifests: ManifestPaths, stdin: NodeJS.ReadableStream) {
    this.#manifests = manifests;
    this.#stdin = stdin;
  }

  /**
   * The files: of folders the `.yaml`, `.yml` and `.json` files, as kubectl reads them.
   *
   * Does not throw for what cannot be read.
   */
  async files(): Promise<ManifestFile[]> {
    const { paths, kustomizations, isRecursive } = this.#manifests;
    const files: ManifestFile[] = [];
    for (const path of paths) {
      if (path !== '-') files.push(...(await readPath(path, isRecursive)));
      else files.push(await (this.#read ??= readStdin(this.#stdin)));
    }
    for (const folder of kustomizations) files.push(await this.#build(folder));
    return files;
  }

  /** The folders in which a change may change `files`. */
  async folders(): Promise<string[]> {
    const { paths, kustomizations, isRecursive } = this.#manifests;
    const ofPaths = paths
      .filter((path) => path !== '-')
      .map(async (path) => {
        if (!(await isFolder(path))) return [dirname(path)];
        return isRecursive ? foldersIn(path) : [path];
      });
    return (await Promise.all([...ofPaths, ...kustomizations.map(foldersIn)])).flat();
  }

  async #build(folder: string): Promise<ManifestFile> {
    const snapshot = await contentsOf(folder);
    const known = this.#built.get(folder);
    if (known?.snapshot === snapshot) return known.file;
    const file = await built(folder);
    this.#built.set(folder, { snapshot, file });
    return file;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
}

/** `folder` and the folders inside. */
async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const inside = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map((entry) => foldersIn(join(folder, entry.name)));
  return [folder, ...(await Promise.all(inside)).flat()];
}

/** What changes with each change of a file in `folder`. */
async function contentsOf(folder: string): Promise<string> {
  const entries = await Promise.all(
    (await foldersIn(folder)).map(async (each) => {
      const names = await readdir(each).catch(() => []);
      return Promise.all(names.map((name) => timeOf(join(each, name))));
    }),
  );
  return entries.flat().join('\n');
}

async function timeOf(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined);
  return `${path} ${String(stats?.mtimeMs)} ${String(stats?.size)}`;
}

async function readPath(path: string, isRecursive: boolean): Promise<ManifestFile[]> {
  try {
    const files = (await stat(path)).isDirectory() ? await filesIn(path, isRecursive) : [path];
    if (files.length > 0) return await Promise.all(files.map(readFile));
    const what = 'contains no .yaml, .yml or .json file';
    const remedy = isRecursive
      ? 'give the path of a manifest'
      : 'give the path of a manifest, or -R for the folders inside';
    return [{ file: path, failure: { what, remedy } }];
  } catch (error) {
    return [{ file: path, failure: { ...unreadable(error), ...pathRemedy(path) } }];
  }
}

/** For what kubectl or a shell would make something else of than a path. */
function pathRemedy(path: string): Partial<Diagnosis> {
  if (path === '') return { what: 'has no path', remedy: 'give a file, a folder, or - for standard input' };
  if (/^https?:\/\//.test(path))
    return { remedy: `get it first: curl --fail --location ${path} | realm-operator validate -` };
  if (/[*?]/.test(path))
    return { remedy: 'correct the pattern, which no file matches, or remove its quotes' };
  return {};
}

/** The manifests in `folder`, in the order of their names. Links to folders are not followed. */
async function filesIn(folder: string, isRecursive: boolean): Promise<string[]> {
  const entries = (await readdir(folder, { withFileTypes: true })).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  );
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (entry.name.startsWith('.')) return [];
      if (entry.isDirectory()) return isRecursive ? filesIn(path, true) : [];
      return /[.](ya?ml|json)$/.test(entry.name) ? [path] : [];
    }),
  );
  return found.flat();
}

async function readFile(file: string): Promise<ManifestFile> {
  try {
    return { file, ...(await decoded(createReadStream(file) as AsyncIterable<Buffer>)) };
  } catch (error) {
    return { file, failure: unreadable(error) };
  }
}

async function readStdin(stdin: NodeJS.ReadableStream): Promise<ManifestFile> {
  const file = 'stdin';
  try {
    return { file, ...(await decoded(stdin as AsyncIterable<Buffer>)) };
  } catch (error) {
    return { file, failure: unreadable(error) };
  }
}

async function decoded(stream: AsyncIterable<Buffer>): Promise<DecodedText> {
  const { bytes, isWhole } = await readAtMost(stream, maxFileBytes);
  if (!isWhole) throw new TooLargeError('it', maxFileBytes);
  return decodedText(bytes);
}

function unreadable(error: unknown): Diagnosis {
  const what = `cannot be read (${asError(error).message})`;
  return { what, remedy: 'correct the path, its permissions or its size' };
}

/** Programs that build a kustomization, and their arguments before the folder. */
const builders = [
  ['kustomize', 'build'],
  ['kubectl', 'kustomize'],
] as const;

/** What kustomize makes of `folder`; lines in findings are those of its output. */
async function built(folder: string): Promise<ManifestFile> {
  for (const [program, command] of builders) {
    try {
      const { stdout } = await promisify(execFile)(program, [command, folder], { maxBuffer: maxFileBytes });
      return { file: folder, text: stdout };
    } catch (error) {
      if (errorCode(error) === 'ENOENT') continue;
      const reason = (error as { stderr?: string }).stderr?.trim() ?? '';
      const what = `cannot be built by ${program} (${reason === '' ? asError(error).message : reason})`;
      return { file: folder, failure: { what, remedy: 'correct the kustomization' } };
    }
  }
  const remedy = `install one of them, or pipe its output: kustomize build ${folder} | realm-operator validate -`;
  return {
    file: folder,
    failure: { what: 'cannot be built: neither kustomize nor kubectl is in PATH', remedy },
  };
}
