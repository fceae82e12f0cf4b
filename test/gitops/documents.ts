import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';

const guide = join(import.meta.dirname, '..', '..', 'docs', 'gitops.md');
const healthKey = 'resource.customizations.health.realm-operator.dev_RealmRelay';

/** A manifest that docs/gitops.md shows. */
export type Example = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
};

/** The manifests that docs/gitops.md shows, in its order. */
export function examples(): readonly Example[] {
  const blocks = readFileSync(guide, 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms);
  return [...blocks].flatMap(([, block = '']) => loadAll(block) as Example[]);
}

/** The health check for Argo CD, in Lua, that docs/gitops.md shows. */
export function healthCheck(): string {
  const script = examples().find(({ data }) => data?.[healthKey] !== undefined)?.data?.[healthKey];
  if (script === undefined) throw new Error('docs/gitops.md has no health check');
  return script;
}
