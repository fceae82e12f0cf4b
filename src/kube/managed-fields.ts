import type { KubeObject } from './object.ts';

const field = '"managedFields":[';

/** `object` without `managedFields`, which nobody here reads and which are most of its size. Changes `object` itself. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  return object;
}

/**
 * `json`, which has one object in it, with an empty list of managed fields, so that parsing it takes half the time. The first
 * field of that name is meant: no value can look like one, since the quotes in it are escaped.
 */
export function withManagedFieldsEmptied(json: string): string {
  const found = json.indexOf(field);
  if (found < 0) return json;
  const start = found + field.length;
  const end = listEnd(json, start);
  return end < 0 ? json : `${json.slice(0, start)}${json.slice(end)}`;
}

const [quote, backslash, opening, closing] = ['"', '\\', '[', ']'].map((char) => char.charCodeAt(0));

/** Where the list that began before `from` ends, outside of any string; -1 where it does not. */
function listEnd(json: string, from: number): number {
  let depth = 1;
  for (let at = from; at < json.length; at += 1) {
    const char = json.charCodeAt(at);
    if (char === quote) at = stringEnd(json, at + 1);
    else if (char === opening) depth += 1;
    else if (char === closing) depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

/** Where the string that began before `from` ends: at a quote that is not escaped. */
function stringEnd(json: string, from: number): number {
  let at = from;
  while (at < json.length && json.charCodeAt(at) !== quote) at += json.charCodeAt(at) === backslash ? 2 : 1;
  return at;
}
