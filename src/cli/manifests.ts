import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRealmRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import { conflictProblem } from '../api/rules.ts';
import { apiVersion, kind } from '../api/schema/realm-relay.ts';
import { boundedText } from '../lib/bounded-read.ts';
import { asError } from '../lib/errors.ts';
import { firstProblems, problemText, type Problem } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import { maxCharacters, YamlError, yamlDocuments, type YamlDocument } from './yaml-documents.ts';

/** Whatever takes more is no manifest, and a path may be that of a device without an end. */
const maxFileBytes = 4 * maxCharacters;

/** A problem or warning in a file. */
export type Finding = {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly problem: Problem;
};

/** A valid relay, and the position of its name; lines are counted from 1. */
export type PlacedRelay = { readonly relay: Relay; readonly file: string; readonly line: number };

/** The result of reading manifests. */
export type Manifests = {
  /** The valid relays, in the order of files and documents. */
  readonly relays: readonly Relay[];
  /** The same relays with their positions. */
  readonly placed: readonly PlacedRelay[];
  readonly findings: readonly Finding[];
};

/** `finding` as compilers write them: `file:line: field: what, value: remedy`. */
export function findingText({ severity, file, line, problem }: Finding): string {
  const word = severity === 'warning' ? 'warning: ' : '';
  return `${file}:${String(line)}: ${word}${problemText(problem)}`;
}

/**
 * Reads the RealmRelay manifests under `paths`: files, folders (their `.yaml`, `.yml` and `.json` files, without subfolders,
 * as kubectl does) and `-` for `stdin`. A file may contain several documents.
 *
 * Does not throw for paths that cannot be read or contents that are not valid: `findings` has all of that.
 */
export async function readManifests(
  paths: readonly string[],
  stdin: NodeJS.ReadableStream,
): Promise<Manifests> {
  const files: ManifestFile[] = [];
  for (const path of paths) files.push(...(await readPath(path, stdin)));
  const read = files.map(readDocuments);
  const documents = read.flat();
  const placed = documents.flatMap(({ relay, file, line }) => (relay ? [{ relay, file, line }] : []));
  return {
    relays: placed.map(({ relay }) => relay),
    placed,
    findings: [...read.flatMap(fileFindings), ...duplicates(documents)],
  };
}

/** The findings of one file. If there are too many, the last one states how many more, as severe as the worst of them. */
function fileFindings(documents: readonly ManifestDocument[]): readonly Finding[] {
  const all = documents.flatMap(({ findings }) => findings);
  const severity = all.some((finding) => finding.severity === 'error') ? 'error' : 'warning';
  const file = documents[0]?.file ?? '';
  return firstProblems(all, (problem) => ({ severity, file, line: 1, problem }));
}

/** The text of a file, or why it could not be read. */
type ManifestFile = { readonly file: string; readonly text?: string; readonly failure?: Problem };

/** The result of reading one document. */
type ManifestDocument = {
  readonly file: string;
  readonly line: number;
  /** Absent if the document is not a valid relay. */
  readonly relay?: Relay;
  readonly findings: readonly Finding[];
};

async function readPath(path: string, stdin: NodeJS.ReadableStream): Promise<ManifestFile[]> {
  if (path === '-') return [await readStdin(stdin)];
  try {
    const isFolder = (await stat(path)).isDirectory();
    const files = isFolder ? (await manifestNames(path)).map((name) => join(path, name)) : [path];
    if (files.length === 0) {
      return [
        {
          file: path,
          failure: fileProblem('contains no .yaml, .yml or .json file', 'give the path of a manifest'),
        },
      ];
    }
    return await Promise.all(
      files.map(async (file) => ({
        file,
        text: await boundedText(createReadStream(file) as AsyncIterable<Buffer>, maxFileBytes, 'it'),
      })),
    );
  } catch (error) {
    return [unreadable(path, error)];
  }
}

async function readStdin(stdin: NodeJS.ReadableStream): Promise<ManifestFile> {
  const file = 'stdin';
  try {
    return { file, text: await boundedText(stdin as AsyncIterable<Buffer>, maxFileBytes, 'it') };
  } catch (error) {
    return unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): ManifestFile {
  const what = `cannot be read (${asError(error).message})`;
  return { file, failure: fileProblem(what, 'correct the path, its permissions or its size') };
}

async function manifestNames(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^[^.].*[.](ya?ml|json)$/.test(name)).sort();
}

function readDocuments({ file, text = '', failure }: ManifestFile): ManifestDocument[] {
  if (failure !== undefined) return [failed(file, 1, failure)];
  try {
    const documents = yamlDocuments(text);
    if (documents.length > 0) return documents.map((document) => readDocument(file, document));
    return [failed(file, 1, fileProblem('is empty', 'add a RealmRelay, or remove the file'))];
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    return [failed(file, error.line, fileProblem(error.message, error.remedy))];
  }
}

function readDocument(
  file: string,
  { value, lineOf, warnings: yamlWarnings }: YamlDocument,
): ManifestDocument {
  // It may be a link to a file that its reader may not see: nothing of what it contains is printed.
  if (!isRecord(value) || value['kind'] !== kind) return failed(file, lineOf(['kind']), foreign);
  const { relay, problems, conflicts, warnings } = parseRealmRelay(value);
  const conflictProblems =
    relay === undefined ? [] : conflicts.map((conflict) => conflictProblem(relay, conflict));
  const errors = [...problems, ...conflictProblems];
  const found = (severity: Finding['severity']) => (problem: Problem) =>
    ({ severity, file, line: lineOf(problem.path), problem }) as const;
  return {
    file,
    line: lineOf(['metadata', 'name']),
    ...(relay === undefined || errors.length > 0 ? {} : { relay }),
    findings: [
      ...errors.map(found('error')),
      ...[...yamlWarnings, ...warnings].map(found('warning')),
    ].toSorted((a, b) => a.line - b.line),
  };
}

const foreign = fileProblem('is not a RealmRelay', `give apiVersion: ${apiVersion} and kind: ${kind}`);

function failed(file: string, line: number, problem: Problem): ManifestDocument {
  return { file, line, findings: [{ severity: 'error', file, line, problem }] };
}

function fileProblem(what: string, remedy: string): Problem {
  return { path: [], what, remedy };
}

/** Relays with the same namespace and name, which are errors: the API server would keep only the last one. */
function duplicates(documents: readonly ManifestDocument[]): Finding[] {
  const seen = new Map<string, ManifestDocument>();
  const findings: Finding[] = [];
  for (const document of documents) {
    if (document.relay === undefined) continue;
    const { namespace, name } = document.relay.metadata;
    const first = seen.get(`${namespace}/${name}`);
    seen.set(`${namespace}/${name}`, first ?? document);
    if (first === undefined) continue;
    const what = `is the name of another RealmRelay in namespace ${namespace}, at ${first.file}:${String(first.line)}`;
    const problem = {
      path: ['metadata', 'name'],
      what,
      value: name,
      remedy: 'rename one of them, or remove it',
    };
    findings.push({ severity: 'error', file: document.file, line: document.line, problem });
  }
  return findings;
}
