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
  const key = merge === 'set' ? canonicalJson : (entry: unknown) => entryKey(entry, merge.keys);
  const byKey = new Map((observed as unknown[]).map((entry) => [key(entry), entry]));
  let found = none;
  for (const entry of desired as unknown[]) {
    const name = key(entry);
    const more = compare(entry, byKey.get(name), merge === 'set' ? 'atomic' : merge.items);
    if (more.length > 0) found = joined(found, more, `[${name}]`);
  }
  return found;
}

function entryKey(entry: unknown, keys: Readonly<Record<string, string>>): string {
  const fields = isRecord(entry) ? entry : {};
  return Object.entries(keys)
    .map(([key, byDefault]) => word(ownValue(fields, key) ?? byDefault))
    .join('/');
}

function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** `found`, and `more`, which is below `step`. */
function joined(found: Difference[], more: readonly Difference[], step: string): Difference[] {
  return [...found, ...more.map(({ steps, observed }) => ({ steps: [step, ...steps], observed }))];
}
