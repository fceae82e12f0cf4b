import type { KubeObject } from './object.ts';
import { isRecord, ownValue } from '../lib/record.ts';

/** A field that differs from what is wanted. */
export type Difference = {
  /** Path of the field, e.g. `.spec.ports[443/TCP].name`. */
  readonly path: string;
  /** The value found there; undefined if there is none. */
  readonly observed: unknown;
};

/**
 * For each list that the API server merges by keys, by its field name: what identifies an entry.
 *
 * Source: the `+listMapKey` and `+patchMergeKey` markers of k8s.io/api. Other lists are compared as a whole.
 */
const listKeys: Readonly<Record<string, (entry: Entry) => string>> = {
  containers: by('name'),
  env: by('name'),
  ephemeralContainers: by('name'),
  hostAliases: by('ip'),
  imagePullSecrets: by('name'),
  initContainers: by('name'),
  ownerReferences: by('uid'),
  ports: (entry) => `${word(entry['containerPort'] ?? entry['port'])}/${word(entry['protocol'] ?? 'TCP')}`,
  topologySpreadConstraints: by('topologyKey', 'whenUnsatisfiable'),
  volumeMounts: by('mountPath'),
  volumes: by('name'),
};

type Entry = Readonly<Record<string, unknown>>;

function by(...keys: readonly string[]): (entry: Entry) => string {
  return (entry) => keys.map((key) => word(ownValue(entry, key))).join('/');
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/**
 * Every field of `desired` that has another value in `observed`.
 *
 * Anything else in `observed` (defaults of the API server, fields of others, foreign entries of lists that merge by key) is
 * not a difference. Pure. There is almost never a difference, so paths are only built once one is found.
 */
export function differences(desired: KubeObject, observed: KubeObject): Difference[] {
  return compare(desired, observed, '');
}

const none: Difference[] = [];

/** @param field  the name of the field with these values; empty for entries of a list. */
function compare(desired: unknown, observed: unknown, field: string): Difference[] {
  if (desired === undefined || desired === observed) return none;
  if (Array.isArray(desired) && Array.isArray(observed)) return compareLists(desired, observed, field);
  if (isRecord(desired) && isRecord(observed)) return compareFields(desired, observed);
  return [{ path: '', observed }];
}

function compareFields(desired: Entry, observed: Entry): Difference[] {
  let found = none;
  for (const field in desired)
    found = joined(
      found,
      compare(ownValue(desired, field), ownValue(observed, field), field),
      'field',
      field,
    );
  return found;
}

function compareLists(
  desired: readonly unknown[],
  observed: readonly unknown[],
  field: string,
): Difference[] {
  const key = ownValue(listKeys, field);
  if (key !== undefined && desired.every(isRecord))
    return compareByKey(desired, observed.filter(isRecord), key);
  if (desired.length !== observed.length) return [{ path: '', observed }];
  let found = none;
  desired.forEach((entry, index) => {
    found = joined(found, compare(entry, observed[index], ''), 'entry', index);
  });
  return found;
}

function compareByKey(
  desired: readonly Entry[],
  observed: readonly Entry[],
  key: (entry: Entry) => string,
): Difference[] {
  const byKey = new Map(observed.map((entry) => [key(entry), entry]));
  let found = none;
  for (const entry of desired) {
    const name = key(entry);
    found = joined(found, compare(entry, byKey.get(name), ''), 'entry', name);
  }
  return found;
}

/** `found`, and `more` with its paths below the field or entry of this name. */
function joined(
  found: Difference[],
  more: readonly Difference[],
  what: 'field' | 'entry',
  name: string | number,
): Difference[] {
  if (more.length === 0) return found;
  const step = what === 'field' ? `.${String(name)}` : `[${String(name)}]`;
  return [...found, ...more.map(({ path, observed }) => ({ path: `${step}${path}`, observed }))];
}
