import { isRecord, ownValue } from './record.ts';

/**
 * `value` as JSON with the keys of every object sorted, so that equal values give equal text however they were built.
 * Fields that are undefined are left out, as in JSON.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(ordered(value));
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (!isRecord(value)) return value;
  const fields: Record<string, unknown> = {};
  for (const key of sortedKeys(value)) {
    const field = ordered(ownValue(value, key));
    // eslint-disable-next-line realm/own-lookup -- a new object gets a field of its own
    if (key !== '__proto__') fields[key] = field;
    else Object.defineProperty(fields, key, { value: field, enumerable: true }); // assigning it would set the prototype
  }
  return fields;
}

/** Insertion sort: there are few keys, and `sort` would allocate more than everything else here. */
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
