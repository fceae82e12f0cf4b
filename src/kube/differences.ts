import type { KubeObject } from './object.ts';
import { isRecord } from '../lib/record.ts';

/** A field that is not as wanted. */
export type Difference = {
  /** Where, e.g. `.spec.ports[443/TCP].name`. */
  readonly path: string;
  /** What is there instead; undefined where nothing is. */
  readonly observed: unknown;
};

/**
 * What an entry of a list is known by, where the API server merges the list by keys; by the list's field name.
 *
 * Source: the `+listMapKey` and `+patchMergeKey` markers of k8s.io/api. Lists that are not here are taken as a whole.
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
  return (entry) => keys.map((key) => word(entry[key])).join('/');
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/**
 * Every field of `desired` that is not so in `observed`.
 *
 * What `observed` has besides (defaults of the API server, fields of others, foreign entries of lists that merge by
 * key) is no difference. Pure.
 */
export function differences(desired: KubeObject, observed: KubeObject): Difference[] {
  return compare(desired, observed, { path: '', field: '' });
}

/** Where the comparison is: the whole path, and the name of the last field on it. */
type Place = { readonly path: string; readonly field: string };

function compare(desired: unknown, observed: unknown, place: Place): Difference[] {
  if (desired === undefined || desired === observed) return [];
  if (Array.isArray(desired) && Array.isArray(observed)) return compareLists(desired, observed, place);
  if (isRecord(desired) && isRecord(observed)) return compareFields(desired, observed, place);
  return [{ path: place.path, observed }];
}

function compareFields(desired: Entry, observed: Entry, { path }: Place): Difference[] {
  return Object.entries(desired).flatMap(([field, value]) =>
    compare(value, observed[field], { path: `${path}.${field}`, field }),
  );
}

function compareLists(desired: readonly unknown[], observed: readonly unknown[], place: Place): Difference[] {
  const key = listKeys[place.field];
  if (key !== undefined && desired.every(isRecord))
    return compareByKey(desired, observed.filter(isRecord), key, place.path);
  if (desired.length !== observed.length) return [{ path: place.path, observed }];
  return desired.flatMap((entry, index) =>
    compare(entry, observed[index], { path: `${place.path}[${String(index)}]`, field: '' }),
  );
}

function compareByKey(
  desired: readonly Entry[],
  observed: readonly Entry[],
  key: (entry: Entry) => string,
  path: string,
): Difference[] {
  const byKey = new Map(observed.map((entry) => [key(entry), entry]));
  return desired.flatMap((entry) =>
    compare(entry, byKey.get(key(entry)), { path: `${path}[${key(entry)}]`, field: '' }),
  );
}
