import { basename } from 'node:path';
import { parseManifest } from '../api/manifest.ts';
import type { Relay } from '../api/relay.ts';
import { conflictProblem } from '../api/rules.ts';
import { apiVersion, group, kind } from '../api/schema/realm-relay.ts';
import { firstProblems, nearest, type Diagnosis, type Path, type Problem } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import type { Finding } from './findings.ts';
import { gatewayManifests, type GatewayMember, type ReadMember, readMember } from './gateway-manifests.ts';
import { ManifestReader, type ManifestFile, type ManifestPaths } from './manifest-files.ts';
import { yamlDocuments, type PlacedProblem, type Position, type YamlDocument } from './yaml-documents.ts';

/** A valid relay, and the position of its name. */
export type PlacedRelay = { readonly relay: Relay; readonly file: string; readonly position: Position };

/** The result of reading manifests. */
export type Manifests = {
  /** The valid relays, in the order of files and documents: of RealmRelays, then of Gateways. */
  readonly relays: readonly Relay[];
  /** The same relays with their positions. */
  readonly placed: readonly PlacedRelay[];
  readonly findings: readonly Finding[];
  /** How many objects of other kinds were skipped. */
  readonly skipped: number;
};

/** What the manifests are read for. */
export type ManifestPurpose = {
  /** Whether the relays run on this machine, and not in Pods. */
  readonly isHost?: boolean;
  /** Whether the manifests have every EndpointSlice, since no controller adds any. */
  readonly areBackendsComplete?: boolean;
};

/**
 * Reads the manifests of `paths`: RealmRelays, Gateways, and what Gateways depend on. A file may contain several documents, and
 * lists of objects; objects of other kinds are skipped.
 *
 * Does not throw for paths that cannot be read or contents that are not valid: `findings` has all of that.
 */
export async function readManifests(
  paths: ManifestPaths,
  stdin: NodeJS.ReadableStream,
  purpose: ManifestPurpose = {},
): Promise<Manifests> {
  return manifestsOf(await new ManifestReader(paths, stdin).files(), purpose);
}

/** The same for `files` that have been read. */
export function manifestsOf(files: readonly ManifestFile[], purpose: ManifestPurpose = {}): Manifests {
  const { isHost = false, areBackendsComplete = isHost } = purpose;
  const read = files.map((file) => readObjects(file, isHost));
  const all = read.flat();
  // Services and the like are objects of other kinds unless there are Gateways that they matter to.
  const hasGateways = all.some(({ role }) => role === 'gateway');
  const isLookedAt = ({ role, isSkipped }: ManifestObject): boolean =>
    !isSkipped && (role !== 'surrounding' || hasGateways);
  const objects = all.filter(isLookedAt);
  // What is not valid would be missing for the others, and reports about those would be wrong.
  const isReadable = objects.every(({ role, member }) => role === undefined || member !== undefined);
  const members = objects.flatMap(({ member }) => member ?? []);
  const gateways = isReadable ? gatewayManifests(members, areBackendsComplete) : nothing;
  const placed = [
    ...objects.flatMap(({ relay, file, position }) => (relay ? [{ relay, file, position }] : [])),
    ...gateways.placed,
  ];
  const [first] = all;
  const isAllSkipped = first !== undefined && objects.length === 0;
  return {
    relays: placed.map(({ relay }) => relay),
    placed,
    findings: [
      ...read.flatMap((ofFile) => fileFindings(ofFile.filter(isLookedAt))),
      ...duplicates(objects),
      ...gateways.findings,
      ...(isAllSkipped ? failed(first.file, first.position, foreign).findings : []),
    ],
    skipped: all.length - objects.length + gateways.skipped,
  };
}

const nothing = { placed: [], findings: [], skipped: 0 } as const;

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
  /** Whether it is of a kind of the Gateway API or of ours beside it, or of one that these depend on; absent if of another kind. */
  readonly role?: 'gateway' | 'surrounding';
  /** The same object, if it is valid. */
  readonly member?: GatewayMember;
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

function readObject(source: Source & Placed): ManifestObject {
  const { file, document, isHost, object, path } = source;
  const member = readMember(object);
  if (member !== undefined) return readGatewayObject(source, member);
  // It may be a link to a file that its reader may not see: nothing of what it contains is printed.
  if (!isRecord(object) || object['kind'] !== kind) {
    const position = document.positionOf([...path, 'kind']);
    if (!isOtherKind(object, file)) return failed(file, position, foreign);
    return { file, position, isSkipped: true, findings: [] };
  }
  const { relay, unknownKeys, problems, conflicts, warnings } = parseManifest(object, isHost);
  const conflictProblems =
    relay === undefined ? [] : conflicts.map((conflict) => conflictProblem(relay, conflict));
  const errors = errorsOf(source, unknownKeys, [...problems, ...conflictProblems]);
  const all = [...errors, ...warnings.map(placing(source, 'warning', document.positionOf))];
  return {
    file,
    position: document.positionOf([...path, 'metadata', 'name']),
    isSkipped: false,
    ...(relay === undefined || errors.length > 0 ? {} : { relay }),
    findings: byPosition(all),
  };
}

/** An object of a kind that goes with Gateways. */
function readGatewayObject(source: Source & Placed, read: ReadMember): ManifestObject {
  const { file, document, path } = source;
  const { kind: name, object, isSurrounding } = read;
  const errors = errorsOf(source, read.unknownKeys, read.problems);
  const positionOf = (inside: Path): Position => document.positionOf([...path, ...inside]);
  const position = positionOf(isSurrounding ? ['kind'] : ['metadata', 'name']);
  const isValid = object !== undefined && errors.length === 0;
  return {
    file,
    position,
    isSkipped: false,
    role: isSurrounding ? 'surrounding' : 'gateway',
    ...(isValid && { member: { kind: name, object, file, positionOf } }),
    findings: byPosition(errors),
  };
}

/** What of an object is an error: of its YAML, unknown keys, and problems. */
function errorsOf(
  source: Source & Placed,
  unknownKeys: readonly Problem[],
  problems: readonly Problem[],
): Finding[] {
  const { file, document, path } = source;
  const ofYaml = document.problems.filter(({ problem }) => isInside(problem.path, path));
  return [
    ...errorsAt(file, ofYaml),
    ...unknownKeys.map(placing(source, 'error', document.keyPositionOf)),
    ...problems.map(placing(source, 'error', document.positionOf)),
  ];
}

function placing(
  { file, path }: Source & Placed,
  severity: Finding['severity'],
  position: YamlDocument['positionOf'],
): (problem: Problem) => Finding {
  return (problem) => {
    const placed = { ...problem, path: [...path, ...problem.path] };
    return { severity, file, ...position(placed.path), problem: placed };
  };
}

function byPosition(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => a.line - b.line || a.column - b.column);
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

/** Objects of one kind with the same namespace and name, which are errors: the API server would keep only the last one. */
function duplicates(objects: readonly ManifestObject[]): Finding[] {
  const seen = new Map<string, ManifestObject>();
  return objects.flatMap((object) => {
    const { member, relay, file, position } = object;
    const metadata = member?.object.metadata ?? relay?.metadata;
    if (metadata === undefined) return [];
    const { namespace, name } = metadata;
    const objectKind = member?.kind ?? kind;
    const key = `${objectKind} ${namespace}/${name}`;
    const first = seen.get(key);
    seen.set(key, first ?? object);
    if (first === undefined) return [];
    const what = `is the name of another ${objectKind} in namespace ${namespace}, at ${first.file}:${String(first.position.line)}`;
    const remedy = 'rename one of them, or remove it';
    const problem = { path: ['metadata', 'name'], what, value: name, remedy };
    return [{ severity: 'error' as const, file, ...position, problem }];
  });
}
