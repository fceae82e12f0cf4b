import { isRecord, ownValue } from './record.ts';

/** Whether `a` and `b` are equal as JSON: the order of fields and undefined fields make no difference. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((entry, index) => sameJson(entry, b[index]));
  return isRecord(a) && isRecord(b) && sameFields(a, b);
}

function sameFields(a: Fields, b: Fields): boolean {
  for (const key in a) if (!sameJson(ownValue(a, key), ownValue(b, key))) return false;
  for (const key in b) if (ownValue(a, key) === undefined && ownValue(b, key) !== undefined) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;
