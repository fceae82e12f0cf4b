// Paths at which an empty value has a meaning: RBAC's core group, and the status subresource of a CRD.
const meantEmpty = /\.(apiGroups\.0|subresources\.status)$/;

/**
 * The paths in `value` of empty lists, empty maps, nulls and empty strings: the API server drops them, so GitOps tools
 * would report a difference for ever.
 */
export function emptyPaths(value: unknown, path = ''): string[] {
  if (meantEmpty.test(path)) return [];
  if (value === null || value === '') return [path];
  if (typeof value !== 'object') return [];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([key, inner]) => emptyPaths(inner, `${path}.${key}`));
}
