import { hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConfigText } from '../../config/config-text.ts';
import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import { ownValue } from '../../lib/record.ts';

/** More than a ConfigMap can hold. */
const maxBytes = 4 * 1024 * 1024;

/** Tries to read a folder whose ConfigMap is swapped meanwhile. */
const maxReads = 5;

/** The configuration cannot be read; `cause` is the reason. */
export class ConfigFileError extends RealmError {
  readonly code = 'REALM_CONFIG_UNREADABLE';
}

/** The configuration at a path: one file, or the files of a folder. */
export type ConfigSource = {
  /** Of a folder, in the order of the files' names; of a file, one. */
  readonly texts: readonly ConfigText[];
  /** SHA-256 in hex: of the file's bytes, or of the names and hashes of the folder's files. */
  readonly hash: string;
  /** The folders to watch: their entries decide what is read. */
  readonly folders: readonly string[];
};

/**
 * Reads the file at `path`, or every `*.toml` and `*.json` under the folder: recursively, following links, skipping
 * names that begin with a dot. All files of a mounted ConfigMap are of one version of it.
 *
 * @throws ConfigFileError
 */
export async function readConfig(path: string): Promise<ConfigSource> {
  const stats = await fileOrFolder(path);
  if (stats.isFile()) return fileSource(path);
  for (let reads = 1; reads <= maxReads; reads += 1) {
    const before = await configMapVersions((await folderContents(path, [])).folders);
    const contents = await folderContents(path, []);
    const source = await folderSource(path, contents).catch(asError); // kubelet removes the old files after a swap
    if (before !== (await configMapVersions(contents.folders))) continue;
    if (source instanceof Error) throw source;
    return source;
  }
  throw unreadable(path, 'it keeps changing while it is read: replace it atomically, and less often');
}

async function fileSource(path: string): Promise<ConfigSource> {
  const { text, hash } = await readText(path);
  return { texts: [{ source: path, text }], hash, folders: [dirname(path)] };
}

async function folderSource(
  path: string,
  { files, folders, problems }: FolderContents,
): Promise<ConfigSource> {
  if (problems[0] !== undefined) throw problems[0];
  if (files.length === 0) throw unreadable(path, 'it holds no .toml or .json file: add one');
  const read = await Promise.all(files.map(readText));
  const lines = read.map(({ hash }, index) => `${files[index]?.slice(path.length) ?? ''}\0${hash}\n`);
  return {
    texts: read.map(({ text }, index) => ({ source: files[index] ?? path, text })),
    hash: hash('sha256', lines.join('')),
    folders,
  };
}

type FolderContents = {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** What cannot be read, perhaps only while a ConfigMap is swapped. */
  readonly problems: readonly Error[];
};

/** @param above  real paths of the folders around it: a link to one of them would make the walk endless. */
async function folderContents(folder: string, above: readonly string[]): Promise<FolderContents> {
  const real = await readable(folder, () => realpath(folder));
  if (above.includes(real))
    throw unreadable(folder, 'it is a link to one of its own parent folders: remove it');
  const names = await readable(folder, () => readdir(folder));
  const parts: FolderContents[] = [{ files: [], folders: [folder], problems: [] }];
  for (const name of names.filter((each) => !each.startsWith('.')).toSorted()) {
    parts.push(await contentsAt(join(folder, name), [...above, real]).catch(asProblem));
  }
  return {
    files: parts.flatMap(({ files }) => files),
    folders: parts.flatMap(({ folders }) => folders),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

async function contentsAt(path: string, above: readonly string[]): Promise<FolderContents> {
  const stats = await fileOrFolder(path);
  if (stats.isDirectory()) return folderContents(path, above);
  return { files: /\.(toml|json)$/.test(path) ? [path] : [], folders: [], problems: [] };
}

function asProblem(error: unknown): FolderContents {
  return { files: [], folders: [], problems: [asError(error)] };
}

/** @throws ConfigFileError for a pipe or a device: it could be read once, and never watched. */
async function fileOrFolder(path: string): Promise<Stats> {
  const stats = await readable(path, () => stat(path));
  if (stats.isFile() || stats.isDirectory()) return stats;
  throw unreadable(path, 'it is neither a file nor a folder: write it to a file');
}

async function readText(path: string): Promise<{ readonly text: string; readonly hash: string }> {
  return readable(path, async () => {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it is larger than ${String(maxBytes)} bytes`);
    const bytes = await readFile(path);
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), hash: hash('sha256', bytes) };
  });
}

/** The versions of the ConfigMaps mounted at `folders`, by the link `..data` that kubelet swaps. */
async function configMapVersions(folders: readonly string[]): Promise<string> {
  const links = await Promise.all(folders.map((folder) => readlink(join(folder, '..data')).catch(() => '')));
  return JSON.stringify([folders, links]);
}

/** The result of `read`. @throws ConfigFileError in place of whatever it throws. */
async function readable<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw unreadable(path, reason(error), error);
  }
}

function unreadable(path: string, what: string, cause?: unknown): ConfigFileError {
  return new ConfigFileError(`${path}: ${what}`, cause === undefined ? {} : { cause });
}

function reason(error: unknown): string {
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file: check the path',
    EACCES: 'it is not readable: check its permissions',
    ELOOP: 'it is a loop of links: remove it',
    ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text: save it as UTF-8',
  };
  return ownValue(known, errorCode(error)) ?? `it cannot be read: ${asError(error).message}`;
}
