import { isRecord } from '../lib/record.ts';

/** Fields in which the empty says something: an empty selector selects all, the values of these mappings may be empty. */
const meantEmpty = /^(labelSelector|namespaceSelector|podSelector)$/;
const mappings = /^(matchLabels|nodeSelector)$/;

/** `value` without the empty texts, lists and mappings that the API server would drop: each comparison would find them. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value)
    .map(([key, field]) => [key, mappings.test(key) ? field : withoutEmpty(field)] as const)
    .filter(([key, field]) => meantEmpty.test(key) || !isEmpty(field));
  return Object.fromEntries(kept);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '') return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
