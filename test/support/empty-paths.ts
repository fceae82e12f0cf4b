// Where empty means something: RBAC's core group, and the status subresource of a CRD.
const meantEmpty = /\.(apiGroups\.0|subresources\.status)$/;

/**
 * Where in `value` an empty list, an empty map, a null or an empty text stands: the API server drops it, and GitOps tools
 * then see a difference for ever.
 */
export function emptyPaths(value: unknown, path = ''): string[] {
  if (meantEmpty.test(path)) return [];
  if (value === null || value === '') return [path];
  if (typeof value !== 'object') return [];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([key, inner]) => emptyPaths(inner, `${path}.${key}`));
}
