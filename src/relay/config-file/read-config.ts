import { hash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConfigText } from '../../config/config-text.ts';
import { asError, errorCode, RealmError } from '../../lib/errors.ts';

/** A configuration file is not larger than a ConfigMap can be, with room to spare. */
const mostBytes = 4 * 1024 * 1024;

/** How often a ConfigMap's folder that changes under the reader is read anew. */
const mostReads = 5;

/** The configuration cannot be read; `cause` is the reason. */
export class ConfigFileError extends RealmError {
  readonly code = 'REALM_CONFIG_UNREADABLE';
}

/** What stands at a path: one file, or the files of a folder. */
export type ConfigSource = {
  /** In the order of their names; of a file itself alone. */
  readonly texts: readonly ConfigText[];
  /** SHA-256, in hex, of the file's bytes; of a folder that of its files' names and hashes. */
  readonly hash: string;
  /** The folders whose entries decide what is read. */
  readonly folders: readonly string[];
};

/**
 * Reads the file at `path`, or every `*.toml` and `*.json` under the folder there: recursive, links followed,
 * names that begin with a dot left out, all at one state of each ConfigMap that is mounted there.
 *
 * @throws ConfigFileError
 */
export async function readConfig(path: string): Promise<ConfigSource> {
  const stats = await about(path);
  if (stats.isFile()) return fileSource(path);
  for (let reads = 1; reads <= mostReads; reads += 1) {
    const before = await configMapStates((await found(path, [])).folders);
    const all = await found(path, []);
    const source = await folderSource(path, all).catch(asError); // a ConfigMap's old files go when it changes
    if (before !== (await configMapStates(all.folders))) continue;
    if (source instanceof Error) throw source;
    return source;
  }
  throw unreadable(
    path,
    'it changes while it is read, again and again: replace it as a whole, and less often',
  );
}

async function fileSource(path: string): Promise<ConfigSource> {
  const { text, hash } = await readText(path);
  return { texts: [{ source: path, text }], hash, folders: [dirname(path)] };
}

async function folderSource(path: string, { files, folders, problems }: Found): Promise<ConfigSource> {
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

type Found = {
  readonly files: readonly string[];
  readonly folders: readonly string[];
  /** What cannot be looked at, which may be because it is being swapped. */
  readonly problems: readonly Error[];
};

/** @param above  the real paths of the folders that it stands in: a link to one of them would never end. */
async function found(folder: string, above: readonly string[]): Promise<Found> {
  const real = await told(folder, () => realpath(folder));
  if (above.includes(real)) throw unreadable(folder, 'it is a link to a folder that it stands in: remove it');
  const names = await told(folder, () => readdir(folder));
  const parts: Found[] = [{ files: [], folders: [folder], problems: [] }];
  for (const name of names.filter((each) => !each.startsWith('.')).toSorted()) {
    parts.push(await foundAt(join(folder, name), [...above, real]).catch(problem));
  }
  return {
    files: parts.flatMap(({ files }) => files),
    folders: parts.flatMap(({ folders }) => folders),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

async function foundAt(path: string, above: readonly string[]): Promise<Found> {
  const stats = await about(path);
  if (stats.isDirectory()) return found(path, above);
  return { files: /\.(toml|json)$/.test(path) ? [path] : [], folders: [], problems: [] };
}

function problem(error: unknown): Found {
  return { files: [], folders: [], problems: [asError(error)] };
}

/** A pipe or a device could be read once, and then never followed. */
async function about(path: string): Promise<Stats> {
  const stats = await told(path, () => stat(path));
  if (stats.isFile() || stats.isDirectory()) return stats;
  throw unreadable(path, 'it is neither a file nor a folder: write it to a file');
}

async function readText(path: string): Promise<{ readonly text: string; readonly hash: string }> {
  return told(path, async () => {
    const { size } = await stat(path);
    if (size > mostBytes) throw new Error(`it is larger than ${String(mostBytes)} bytes`);
    const bytes = await readFile(path);
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), hash: hash('sha256', bytes) };
  });
}

/** Which states of ConfigMaps the folders show: kubelet swaps the link `..data`; nothing for one that has none. */
async function configMapStates(all: readonly string[]): Promise<string> {
  const links = await Promise.all(all.map((folder) => readlink(join(folder, '..data')).catch(() => '')));
  return JSON.stringify([all, links]);
}

async function told<T>(path: string, read: () => Promise<T>): Promise<T> {
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
    EACCES: 'it may not be read: check its permissions',
    ELOOP: 'it is a loop of links: remove it',
    ERR_ENCODING_INVALID_ENCODED_DATA: 'it is not UTF-8 text: write it anew',
  };
  return known[errorCode(error)] ?? `it cannot be read: ${asError(error).message}`;
}
