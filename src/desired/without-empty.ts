import { isRecord } from '../lib/record.ts';

/**
 * Fields whose empty value has a meaning: an empty selector selects everything; the values of these mappings may be empty,
 * too.
 */
const meantEmpty = new Set(['labelSelector', 'namespaceSelector', 'podSelector']);
const mappings = new Set(['matchLabels', 'nodeSelector']);

/** `value` without empty strings, lists and mappings: the API server drops them, so every comparison would find a difference. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isRecord(value)) return value;
  const fields = Object.entries(value).map(([key, field]) => {
    return [key, mappings.has(key) ? field : withoutEmpty(field)] as const;
  });
  return Object.fromEntries(fields.filter(([key, field]) => meantEmpty.has(key) || !isEmpty(field)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '') return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
