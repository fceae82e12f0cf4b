import { isRecord } from './record.ts';

/**
 * `value` as JSON with the keys of every object in one order: equal values give equal text, whatever the order in which
 * they were built. Fields that are undefined are left out, as JSON does.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isRecord(value)) return value;
  const fields: Record<string, unknown> = {};
  for (const key of sortedKeys(value)) {
    const field = ordered(value[key]);
    if (key !== '__proto__') fields[key] = field;
    else Object.defineProperty(fields, key, { value: field, enumerable: true }); // an assignment makes no field of it
  }
  return fields;
}

/** By insertion: keys are few, and `sort` makes more garbage of them than all the rest here. */
function sortedKeys(fields: object): string[] {
  const keys = Object.keys(fields);
  for (let index = 1; index < keys.length; index += 1) {
    const key = keys[index] ?? '';
    let place = index;
    for (let before = keys[place - 1]; before !== undefined && before > key; before = keys[place - 1]) {
      keys[place] = before;
      place -= 1;
    }
    keys[place] = key;
  }
  return keys;
}
