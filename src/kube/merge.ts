import { ownValue } from '../lib/record.ts';
import type { FieldMerge } from './merge-rules.ts';
import { mergeTable } from './merge-table.ts';

/** How objects of this kind are merged; undefined for kinds that the table does not have. */
export function mergeOfKind({
  apiVersion,
  kind,
}: {
  readonly apiVersion: string;
  readonly kind: string;
}): FieldMerge | undefined {
  const type = ownValue(mergeTable.kinds, `${apiVersion}/${kind}`);
  return type === undefined ? undefined : { type };
}

/** How `field` of a mapping is merged, if the mapping is merged by `merge`. */
export function mergeOfField(merge: FieldMerge | undefined, field: string): FieldMerge | undefined {
  if (typeof merge !== 'object' || !('type' in merge)) return undefined;
  const fields = ownValue(mergeTable.types, merge.type);
  return fields && ownValue(fields, field);
}
