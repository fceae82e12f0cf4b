import { isRecord } from './record.ts';

/**
 * `value` as JSON with the keys of every object in one order: equal values give equal text, whatever the order in which
 * they were built. Fields that are undefined are left out, as JSON does.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((entry) => canonicalJson(entry ?? null)).join(',')}]`;
  return isRecord(value) ? fieldsJson(value) : JSON.stringify(value);
}

function fieldsJson(fields: Readonly<Record<string, unknown>>): string {
  let json = '';
  for (const key of sortedKeys(fields)) {
    const value = fields[key];
    if (value === undefined) continue;
    if (json !== '') json += ',';
    json += `${JSON.stringify(key)}:${canonicalJson(value)}`;
  }
  return `{${json}}`;
}

/** By insertion: keys are few, and `sort` makes more garbage of them than all the rest here. */
function sortedKeys(fields: object): string[] {
  const keys = Object.keys(fields);
  for (const [index, key] of keys.entries()) {
    let place = index;
    for (let before = keys[place - 1]; before !== undefined && before > key; before = keys[place - 1]) {
      keys[place] = before;
      place -= 1;
    }
    keys[place] = key;
  }
  return keys;
}
