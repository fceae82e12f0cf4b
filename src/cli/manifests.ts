import { basename } from 'node:path';
import { parseManifest } from '../api/manifest.ts';
import type { Relay } from '../api/relay.ts';
import { conflictProblem } from '../api/rules.ts';
import { apiVersion, group, kind } from '../api/schema/realm-relay.ts';
import { firstProblems, nearest, type Diagnosis, type Path, type Problem } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import type { Finding } from './findings.ts';
import { ManifestReader, type ManifestFile, type ManifestPaths } from './manifest-files.ts';
import { yamlDocuments, type PlacedProblem, type Position, type YamlDocument } from './yaml-documents.ts';

/** A valid relay, and the position of its name. */
export type PlacedRelay = { readonly relay: Relay; readonly file: string; readonly position: Position };

/** The result of reading manifests. */
export type Manifests = {
  /** The valid relays, in the order of files and documents. */
  readonly relays: readonly Relay[];
  /** The same relays with their positions. */
  readonly placed: readonly PlacedRelay[];
  readonly findings: readonly Finding[];
  /** How many objects of other kinds were skipped. */
  readonly skipped: number;
};

/**
 * Reads the RealmRelay manifests of `paths`. A file may contain several documents, and lists of objects; objects of other
 * kinds are skipped.
 *
 * Does not throw for paths that cannot be read or contents that are not valid: `findings` has all of that.
 */
export async function readManifests(paths: ManifestPaths, stdin: NodeJS.ReadableStream): Promise<Manifests> {
  return manifestsOf(await new ManifestReader(paths, stdin).files());
}

/** The same for `files` that have been read. @param isHost  whether the relays run on this machine, and not in Pods. */
export function manifestsOf(files: readonly ManifestFile[], isHost = false): Manifests {
  const read = files.map((file) => readObjects(file, isHost));
  const objects = read.flat();
  const placed = objects.flatMap(({ relay, file, position }) => (relay ? [{ relay, file, position }] : []));
  const skipped = objects.filter(({ isSkipped }) => isSkipped);
  const [first] = skipped;
  const isAllSkipped = first !== undefined && skipped.length === objects.length;
  return {
    relays: placed.map(({ relay }) => relay),
    placed,
    findings: [
      ...read.flatMap(fileFindings),
      ...duplicates(objects),
      ...(isAllSkipped ? failed(first.file, first.position, foreign).findings : []),
    ],
    skipped: skipped.length,
  };
}

/** The findings of one file. If there are too many, the last one states how many more, as severe as the worst of them. */
function fileFindings(objects: readonly ManifestObject[]): readonly Finding[] {
  const all = objects.flatMap(({ findings }) => findings);
  const severity = all.some((finding) => finding.severity === 'error') ? 'error' : 'warning';
  const file = objects[0]?.file ?? '';
  return firstProblems(all, (problem) => ({ severity, file, line: 1, column: 1, problem }));
}

/** The result of reading one object. */
type ManifestObject = {
  readonly file: string;
  readonly position: Position;
  /** Absent if the object is not a valid relay. */
  readonly relay?: Relay;
  readonly isSkipped: boolean;
  readonly findings: readonly Finding[];
};

const start: Position = { line: 1, column: 1 };

function readObjects(read: ManifestFile, isHost: boolean): ManifestObject[] {
  const { file } = read;
  if ('failure' in read) return [failed(file, start, read.failure)];
  if ('fault' in read) return [failed(file, endOf(read.before), read.fault)];
  const documents = yamlDocuments(read.text);
  const objects = documents.flatMap((document) => documentObjects({ file, document, isHost }));
  if (documents.length === 0)
    objects.push(failed(file, start, { what: 'is empty', remedy: 'add a RealmRelay, or remove the file' }));
  return read.warning === undefined ? objects : withWarning(objects, read.warning);
}

function withWarning(objects: readonly ManifestObject[], warning: Diagnosis): ManifestObject[] {
  const [first, ...rest] = objects;
  if (first === undefined) return [];
  const finding: Finding = {
    severity: 'warning',
    file: first.file,
    ...start,
    problem: { path: [], ...warning },
  };
  return [{ ...first, findings: [finding, ...first.findings] }, ...rest];
}

function endOf(text: string): Position {
  const lines = text.split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

function documentObjects(source: Source): ManifestObject[] {
  const { file, document } = source;
  const { value, problems, positionOf } = document;
  if (value === undefined || value === null)
    return [{ file, position: positionOf([]), isSkipped: false, findings: errorsAt(file, problems) }];
  return unwrapped(value, []).map((placed) => readObject({ ...source, ...placed }));
}

function errorsAt(file: string, problems: readonly PlacedProblem[]): Finding[] {
  return problems.map((placed) => ({ severity: 'error', file, ...placed }));
}

type Source = { readonly file: string; readonly document: YamlDocument; readonly isHost: boolean };

type Placed = { readonly object: unknown; readonly path: Path };

/** The objects in `value`: its items if it is a list, as kubectl prints several objects. */
function unwrapped(value: unknown, path: Path): Placed[] {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || !value['kind'].endsWith('List'))
    return [{ object: value, path }];
  const { items } = value;
  if (!Array.isArray(items)) return [{ object: value, path }];
  return items.flatMap((item, index) => unwrapped(item, [...path, 'items', index]));
}

function readObject({ file, document, isHost, object, path }: Source & Placed): ManifestObject {
  // It may be a link to a file that its reader may not see: nothing of what it contains is printed.
  if (!isRecord(object) || object['kind'] !== kind) {
    const position = document.positionOf([...path, 'kind']);
    if (!isOtherKind(object, file)) return failed(file, position, foreign);
    return { file, position, isSkipped: true, findings: [] };
  }
  const { relay, unknownKeys, problems, conflicts, warnings } = parseManifest(object, isHost);
  const conflictProblems =
    relay === undefined ? [] : conflicts.map((conflict) => conflictProblem(relay, conflict));
  const found =
    (severity: Finding['severity'], position: YamlDocument['positionOf']) => (problem: Problem) => {
      const placed = { ...problem, path: [...path, ...problem.path] };
      return { severity, file, ...position(placed.path), problem: placed } as const;
    };
  const errors = [
    ...errorsAt(
      file,
      document.problems.filter(({ problem }) => isInside(problem.path, path)),
    ),
    ...unknownKeys.map(found('error', document.keyPositionOf)),
    ...[...problems, ...conflictProblems].map(found('error', document.positionOf)),
  ];
  const all = [...errors, ...warnings.map(found('warning', document.positionOf))];
  return {
    file,
    position: document.positionOf([...path, 'metadata', 'name']),
    isSkipped: false,
    ...(relay === undefined || errors.length > 0 ? {} : { relay }),
    findings: all.toSorted((a, b) => a.line - b.line || a.column - b.column),
  };
}

/** Whether `path` is that of a value in the object at `object`, or in what is around it. */
function isInside(path: Path, object: Path): boolean {
  const length = Math.min(path.length, object.length);
  return path.slice(0, length).every((step, index) => step === object[index]);
}

/** Whether `object` belongs to Kubernetes, or to kustomize, and is not a RealmRelay that is misspelt. */
function isOtherKind(object: unknown, file: string): boolean {
  if (!isRecord(object)) return false;
  const { apiVersion: version, kind: name } = object;
  if (/^kustomization[.]ya?ml$/.test(basename(file)) && name === undefined) return true;
  if (typeof version !== 'string' || typeof name !== 'string' || version === '' || name === '') return false;
  return !version.startsWith(`${group}/`) && nearest(name, [kind]) === undefined;
}

const foreign: Diagnosis = {
  what: 'is not a RealmRelay',
  remedy: `give apiVersion: ${apiVersion} and kind: ${kind}`,
};

function failed(file: string, position: Position, diagnosis: Diagnosis): ManifestObject {
  const problem = { path: [], ...diagnosis };
  return { file, position, isSkipped: false, findings: [{ severity: 'error', file, ...position, problem }] };
}

/** Relays with the same namespace and name, which are errors: the API server would keep only the last one. */
function duplicates(objects: readonly ManifestObject[]): Finding[] {
  const seen = new Map<string, ManifestObject>();
  const findings: Finding[] = [];
  for (const object of objects) {
    if (object.relay === undefined) continue;
    const { namespace, name } = object.relay.metadata;
    const first = seen.get(`${namespace}/${name}`);
    seen.set(`${namespace}/${name}`, first ?? object);
    if (first === undefined) continue;
    const what = `is the name of another RealmRelay in namespace ${namespace}, at ${first.file}:${String(first.position.line)}`;
    const problem = {
      path: ['metadata', 'name'],
      what,
      value: name,
      remedy: 'rename one of them, or remove it',
    };
    findings.push({ severity: 'error', file: object.file, ...object.position, problem });
  }
  return findings;
}
