import type { z } from 'zod';
import { nearest, pathText, type Path } from './problem.ts';

/** The path of a field of a schema: keys, with `[]` for the items of a list. */
type FieldPath = readonly string[];

type Field = {
  readonly path: FieldPath;
  /** Whether it has no fields of its own. */ readonly isLeaf: boolean;
};

type AnyType = z.core.$ZodType;

/** What other programs call a field, by its path from the mapping where they have it. */
const synonyms: ReadonlyMap<string, string> = new Map(
  Object.entries({
    address: ['host', 'hostname', 'hostip', 'ip', 'addr', 'server'],
    port: ['targetport', 'containerport'],
    remotes: ['upstream', 'upstreams', 'backend', 'backends', 'target', 'targets', 'servers', 'destinations'],
    listen: ['bind', 'frontend'],
    'network.udp': ['protocol', 'protocols'],
    sendProxy: ['proxyprotocol', 'proxy'],
    logLevel: ['log'],
  }).flatMap(([field, words]) => words.map((word) => [word, field])),
);

/** The shortest beginning of a word that is taken for it. */
const minPrefixLength = 4;

/**
 * The field of `schema` that the author of the unknown `key` in the mapping at `path` probably meant: one of that mapping
 * with a similar name, or one of that name elsewhere, the nearest.
 *
 * @returns its path from the mapping, such as `network.udp`, or from the document if it is not inside.
 */
export function knownFieldFor(schema: AnyType, path: Path, key: string): string | undefined {
  const parent = path.map((step) => (typeof step === 'number' ? '[]' : step));
  const fields = fieldsOf(schema, []);
  const siblings = fields.filter(
    ({ path: field }) => isInside(field, parent) && field.length === parent.length + 1,
  );
  const names = siblings.map(nameOf);
  const same = names.find((name) => plain(name) === plain(key));
  const near = same ?? nearest(key, names) ?? names.find((name) => isBeginning(key, name));
  if (near !== undefined) return near;
  const inside = fields
    .filter(({ path: field }) => isInside(field, parent))
    .map(({ path: field }) => fieldText(field.slice(parent.length)));
  const joined = inside.find((field) => plain(field) === plain(key)); // serviceType is service.type
  const synonym = joined ?? synonyms.get(plain(key));
  if (synonym !== undefined && inside.includes(synonym)) return synonym;
  const elsewhere = closest(
    fields.filter((field) => plain(nameOf(field)) === plain(key)),
    parent,
  );
  if (elsewhere === undefined) return undefined;
  return fieldText(isInside(elsewhere.path, parent) ? elsewhere.path.slice(parent.length) : elsewhere.path);
}

/** Every field of `schema`, outer ones before inner ones. */
function fieldsOf(schema: AnyType, path: FieldPath): Field[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === 'optional') return fieldsOf(def.innerType, path);
  if (def.type === 'array') return fieldsOf(def.element, [...path, '[]']);
  if (def.type !== 'object') return [];
  return Object.entries(def.shape).flatMap(([name, field]) => {
    const inner = fieldsOf(field, [...path, name]);
    return [{ path: [...path, name], isLeaf: inner.length === 0 }, ...inner];
  });
}

function nameOf({ path }: Field): string {
  return path.at(-1) ?? '';
}

/** The field that shares most of `parent`; of several, the one with the shortest path, and a value before a mapping. */
function closest(fields: readonly Field[], parent: FieldPath): Field | undefined {
  const shared = ({ path }: Field): number => {
    const differing = parent.findIndex((step, index) => path[index] !== step);
    return differing < 0 ? parent.length : differing;
  };
  return fields.toSorted(
    (a, b) => shared(b) - shared(a) || a.path.length - b.path.length || Number(b.isLeaf) - Number(a.isLeaf),
  )[0];
}

function isInside(field: FieldPath, parent: FieldPath): boolean {
  return parent.every((step, index) => field[index] === step);
}

/** A name or a path as it is compared: `tcp_timeout` is `tcpTimeout`. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, '');
}

function isBeginning(key: string, name: string): boolean {
  return key.length >= minPrefixLength && plain(name).startsWith(plain(key));
}

function fieldText(field: FieldPath): string {
  return pathText(field).replaceAll('.[]', '[]');
}
