import type { ZodType } from 'zod';
import { manifestProblems } from '../gateway/manifest-problems.ts';
import { manifestSchema, surroundingSchema, versionsOf } from '../gateway/manifest-schemas.ts';
import { type ManifestObjects, ManifestWorld } from '../gateway/manifest-world.ts';
import { routeKinds } from '../gateway/types.ts';
import { metadataProblems } from '../api/metadata-rules.ts';
import type { Relay } from '../api/relay.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import { readWith } from '../lib/schema-reader.ts';
import type { Finding } from './findings.ts';
import type { Position } from './yaml-documents.ts';

/** An object that goes with Gateways, and its place. */
export type GatewayMember = {
  readonly kind: string;
  readonly object: NamespacedObject;
  readonly file: string;
  /** The position of the value at a path of the object. */
  readonly positionOf: (path: Path) => Position;
};

type NamespacedObject = {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec?: unknown;
};

/** What a manifest comes to on its own. */
export type ReadMember = {
  readonly kind: string;
  /** Whether it matters only to Gateways, as a Service does. */
  readonly isSurrounding: boolean;
  /** Absent if a field is not valid. */
  readonly object?: NamespacedObject;
  readonly unknownKeys: readonly Problem[];
  readonly problems: readonly Problem[];
};

/** Reads `document` if it is of a kind that goes with Gateways; undefined if it is not. Never throws. */
export function readMember(document: unknown): ReadMember | undefined {
  if (!isRecord(document)) return undefined;
  const { apiVersion, kind } = document;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const own = manifestSchema(apiVersion, kind);
  if (own !== undefined) return { kind, isSurrounding: false, ...readObject(own, document) };
  const schema = surroundingSchema(apiVersion, kind);
  if (schema === undefined) return otherVersion(apiVersion, kind);
  return { kind, isSurrounding: true, ...readObject(schema, document), unknownKeys: [] };
}

type ManifestMetadata = Parameters<typeof metadataProblems>[0];

function readObject(
  schema: ZodType,
  { status: _status, ...document }: Readonly<Record<string, unknown>>,
): Pick<ReadMember, 'object' | 'unknownKeys' | 'problems'> {
  const { value, problems, warnings } = readWith(schema, document);
  const unknownKeys = warnings.map(({ path, remedy }) => ({ path, what: 'is an unknown key', remedy }));
  if (value === undefined) return { unknownKeys, problems };
  const { metadata, ...rest } = value as { readonly metadata: ManifestMetadata; readonly spec?: unknown };
  const { namespace = '' } = metadata;
  const placed = { ...metadata, namespace: namespace === '' ? 'default' : namespace };
  return { object: { ...rest, metadata: placed }, unknownKeys, problems: metadataProblems(metadata) };
}

/** A kind that goes with Gateways in a version that is not read. */
function otherVersion(apiVersion: string, kind: string): ReadMember | undefined {
  const [group] = apiVersion.split('/');
  const versions = versionsOf(kind);
  const isOurs = versions.some((version) => version.split('/')[0] === group);
  if (!isOurs) return undefined;
  const problem = {
    path: ['apiVersion'],
    what: `is a version of ${kind} that is not read`,
    value: apiVersion,
    remedy: `use ${versions.join(' or ')}`,
  };
  return { kind, isSurrounding: false, unknownKeys: [], problems: [problem] };
}

/** What the members come to together. */
export type GatewayManifests = {
  /** The relays of the Gateways, each with the place of the name of its Gateway. */
  readonly placed: readonly { readonly relay: Relay; readonly file: string; readonly position: Position }[];
  readonly findings: readonly Finding[];
  /** How many Gateways of other controllers there are. */
  readonly skipped: number;
};

/**
 * Judges `members` as the operator judges a cluster that has nothing else.
 *
 * @param areBackendsComplete  whether nobody makes the EndpointSlices that have no manifest.
 */
export function gatewayManifests(
  members: readonly GatewayMember[],
  areBackendsComplete: boolean,
): GatewayManifests {
  const world = new ManifestWorld(objectsOf(members));
  const byObject = new Map<object, GatewayMember>(members.map((member) => [member.object, member]));
  const findings = manifestProblems(world, areBackendsComplete).flatMap(({ object, severity, problem }) => {
    const member = byObject.get(object);
    if (member === undefined) return [];
    const { file, positionOf } = member;
    return [{ severity, file, ...positionOf(problem.path), problem }];
  });
  const placed = world.relays.flatMap(({ gateway, relay }) => {
    const member = byObject.get(gateway);
    if (member === undefined) return [];
    return [{ relay, file: member.file, position: member.positionOf(['metadata', 'name']) }];
  });
  const foreign = world.objects.gateways.length - world.gateways.length;
  return { placed, findings: sorted(findings, members), skipped: foreign };
}

function objectsOf(members: readonly GatewayMember[]): ManifestObjects {
  const of = (...kinds: readonly string[]): never[] =>
    members.filter(({ kind }) => kinds.includes(kind)).map(({ object }) => object) as never[];
  return {
    classes: of('GatewayClass'),
    gateways: of('Gateway'),
    routes: of(...routeKinds),
    grants: of('ReferenceGrant'),
    parameters: of('RealmGatewayParameters'),
    policies: of('RealmTrafficPolicy'),
    services: of('Service'),
    slices: of('EndpointSlice'),
    namespaces: of('Namespace'),
  };
}

/** In the order of the files, then of lines. */
function sorted(findings: readonly Finding[], members: readonly GatewayMember[]): Finding[] {
  const files = [...new Set(members.map(({ file }) => file))];
  return findings.toSorted(
    (a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}
