import { canonicalJson } from '../lib/canonical-json.ts';
import { isRecord, ownValue } from '../lib/record.ts';
import { sameJson } from '../lib/same-json.ts';
import type { FieldMerge } from './merge-rules.ts';
import { mergeOfField, mergeOfKind } from './merge.ts';
import type { KubeObject } from './object.ts';

/** A field that differs from what is wanted. */
export type Difference = {
  /** The way to the field, e.g. `.spec`, `.ports`, `[443/TCP]`, `.name`; joined, they are its path. */
  readonly steps: readonly string[];
  /** The value found there; undefined if there is none. */
  readonly observed: unknown;
};

type Entry = Readonly<Record<string, unknown>>;

/**
 * Every field of `desired` that has another value in `observed`.
 *
 * What the API server merges is compared field by field: anything else in `observed` (defaults of the API server, fields of
 * others, foreign entries of lists that merge by key) is not a difference. What it replaces as a whole is compared exactly;
 * see `MergeTable`. Pure. There is almost never a difference, so paths are only built once one is found.
 */
export function differences(desired: KubeObject, observed: KubeObject): Difference[] {
  return compare(desired, observed, mergeOfKind(desired));
}

const none: Difference[] = [];

/** @param merge  how the field with these values is merged. */
function compare(desired: unknown, observed: unknown, merge: FieldMerge | undefined): Difference[] {
  if (desired === undefined || desired === observed) return none;
  if (isMergedList(merge) && areLists(desired, observed)) return compareEntries(desired, observed, merge);
  if (merge !== 'atomic' && isRecord(desired) && isRecord(observed))
    return compareFields(desired, observed, merge);
  return sameJson(desired, observed) ? none : [{ steps: [], observed }];
}

type MergedList = Exclude<FieldMerge, 'atomic' | { readonly type: string }>;

function isMergedList(merge: FieldMerge | undefined): merge is MergedList {
  return merge === 'set' || (typeof merge === 'object' && 'keys' in merge);
}

function areLists(...values: [unknown, unknown]): boolean {
  return values.every((value) => Array.isArray(value));
}

function compareFields(desired: Entry, observed: Entry, merge: FieldMerge | undefined): Difference[] {
  let found = none;
  for (const field in desired) {
    const [wanted, seen] = [ownValue(desired, field), ownValue(observed, field)];
    if (wanted === seen) continue;
    const more = compare(wanted, seen, mergeOfField(merge, field));
    if (more.length > 0) found = joined(found, more, `.${field}`);
  }
  return found;
}

/** Compares the entries of `desired` with those of the same key; their order makes no difference. */
function compareEntries(desired: unknown, observed: unknown, merge: MergedList): Difference[] {
  const wanted = desired as unknown[];
  const found = entriesOf(observed as unknown[], wanted, merge);
  return wanted.reduce<Difference[]>((all, entry, index) => {
    const more = compare(entry, found[index], merge === 'set' ? 'atomic' : merge.items);
    return more.length === 0 ? all : joined(all, more, `[${entryKey(entry, merge)}]`);
  }, none);
}

/** For each entry of `desired`, the one of `observed` with its key. They are nearly always in the same order. */
function entriesOf(observed: unknown[], desired: unknown[], merge: MergedList): unknown[] {
  if (desired.every((entry, index) => isSameEntry(entry, observed[index], merge))) return observed;
  const byKey = new Map(observed.map((entry) => [entryKey(entry, merge), entry]));
  return desired.map((entry) => byKey.get(entryKey(entry, merge)));
}

function isSameEntry(a: unknown, b: unknown, merge: MergedList): boolean {
  if (merge === 'set') return a === b;
  if (!isRecord(a) || !isRecord(b)) return false;
  for (const key in merge.keys)
    if (keyField(a, key, merge.keys) !== keyField(b, key, merge.keys)) return false;
  return true;
}

function entryKey(entry: unknown, merge: MergedList): string {
  if (merge === 'set') return canonicalJson(entry);
  const fields = isRecord(entry) ? entry : {};
  return Object.keys(merge.keys)
    .map((key) => keyField(fields, key, merge.keys))
    .join('/');
}

function keyField(entry: Entry, key: string, keys: Readonly<Record<string, string>>): string {
  return word(ownValue(entry, key) ?? ownValue(keys, key));
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** `found`, and `more`, which is below `step`. */
function joined(found: Difference[], more: readonly Difference[], step: string): Difference[] {
  return [...found, ...more.map(({ steps, observed }) => ({ steps: [step, ...steps], observed }))];
}
