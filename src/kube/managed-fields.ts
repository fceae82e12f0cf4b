import type { KubeObject } from './object.ts';

const field = Buffer.from('"managedFields":[');

/** `object` without `managedFields`, which nobody here reads and which are most of its size. Changes `object` itself. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
}

/**
 * The text of `json`, which has one object in it, without its managed fields: they are half of it, so parsing takes half the
 * time. The first field of that name is meant: no value can look like one, since the quotes in it are escaped. Changes `json`.
 */
export function textWithoutManagedFields(json: Buffer): string {
  const start = json.indexOf(field);
  const end = start < 0 ? -1 : listEnd(json, start + field.length);
  if (end < 0) return json.toString();
  // With the comma between it and the field before it or, where it is the first, the one after it.
  const isFirst = json[start - 1] !== comma;
  const from = isFirst ? start : start - 1;
  const next = isFirst && json[end + 1] === comma ? end + 2 : end + 1;
  json.copyWithin(from, next);
  return json.toString('utf8', 0, json.length - (next - from));
}

const [quote, backslash, opening, closing, comma] = Buffer.from('"\\[],');

/** Where the list that began before `from` ends, outside of any string; -1 where it does not. */
function listEnd(json: Buffer, from: number): number {
  let depth = 1;
  for (let at = from; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === quote) at = stringEnd(json, at + 1);
    else if (byte === opening) depth += 1;
    else if (byte === closing) depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

/** Where the string that began before `from` ends: at a quote that is not escaped. */
function stringEnd(json: Buffer, from: number): number {
  let at = from;
  while (at < json.length && json[at] !== quote) at += json[at] === backslash ? 2 : 1;
  return at;
}
