import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { FieldMerge } from '../src/kube/merge-rules.ts';
import type { Resource } from '../src/kube/resource.ts';
import { isRecord } from '../src/lib/record.ts';
import { ownedResources } from '../src/operator/kinds.ts';
import type { Cluster } from '../test/cluster/cluster.ts';
import { startControlPlane } from '../test/cluster/control-plane.ts';

/** The generated file. */
export const mergeTableFile = join(import.meta.dirname, '..', 'src', 'kube', 'merge-table.ts');

type Schema = {
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly type?: string;
  readonly default?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
};

type Fields = Readonly<Record<string, FieldMerge>>;

/**
 * The text of `src/kube/merge-table.ts`: how the API server of `cluster` merges the fields of the kinds that the operator
 * writes, by its own OpenAPI documents.
 *
 * @throws Error if the server does not serve one of the kinds.
 */
export async function mergeTableText(cluster: Cluster): Promise<string> {
  const { gitVersion } = (await json(cluster, '/version')) as { gitVersion: string };
  const schemas = new Map<string, Schema>();
  for (const path of new Set(ownedResources.map(documentPath))) {
    const document = (await json(cluster, path)) as { components: { schemas: Record<string, Schema> } };
    for (const [name, schema] of Object.entries(document.components.schemas)) schemas.set(name, schema);
  }
  const table = new Table(schemas);
  const kinds = ownedResources.map((resource) => [
    `${resource.apiVersion}/${resource.kind}`,
    table.addKind(resource),
  ]);
  const text = `// Generated from the OpenAPI documents of Kubernetes ${gitVersion} by "make merge-table"; do not edit.
import type { MergeTable } from './merge-rules.ts';

export const mergeTable: MergeTable = ${JSON.stringify({
    kubernetesVersion: gitVersion,
    kinds: Object.fromEntries(kinds) as unknown,
    types: table.types(),
  })};
`;
  return format(text, { ...(await resolveConfig(mergeTableFile)), parser: 'typescript' });
}

async function json(cluster: Cluster, path: string): Promise<unknown> {
  const { status, text } = await cluster.request('GET', path);
  if (status !== 200) throw new Error(`${path}: ${String(status)} ${text}`);
  return JSON.parse(text);
}

function documentPath({ apiVersion }: Resource): string {
  return `/openapi/v3/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}`;
}

/** Collects the types that have a field which is not merged as its shape suggests; see `MergeTable`. */
class Table {
  readonly #schemas: ReadonlyMap<string, Schema>;
  readonly #types = new Map<string, Fields>();

  constructor(schemas: ReadonlyMap<string, Schema>) {
    this.#schemas = schemas;
  }

  /** Adds the kind of `resource`, without its status, and returns the name of its type. */
  addKind({ apiVersion, kind }: Resource): string {
    const wanted = `${apiVersion.includes('/') ? '' : '/'}${apiVersion}/${kind}`;
    const [name] =
      [...this.#schemas].find(([, schema]) =>
        (schema['x-kubernetes-group-version-kind'] ?? []).some(
          (known) => `${known.group}/${known.version}/${known.kind}` === wanted,
        ),
      ) ?? [];
    if (name === undefined) throw new Error(`the API server does not serve ${wanted}`);
    this.#add(name, ['status']);
    return shortName(name);
  }

  /** The types, by name. */
  types(): Record<string, Fields> {
    const known = [...this.#types].filter(([, fields]) => Object.keys(fields).length > 0);
    return Object.fromEntries(known.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Returns whether the type `name` belongs into the table. */
  #add(name: string, without: readonly string[] = []): boolean {
    const known = this.#types.get(shortName(name));
    if (known !== undefined) return Object.keys(known).length > 0;
    this.#types.set(shortName(name), {}); // so that a type that contains itself comes to an end
    const properties = Object.entries(this.#schemas.get(name)?.properties ?? {});
    const fields = properties
      .filter(([field]) => !without.includes(field))
      .flatMap(([field, schema]) => {
        const merge = this.#merge(schema);
        return merge === undefined ? [] : [[field, merge] as const];
      });
    this.#types.set(shortName(name), Object.fromEntries(fields));
    return fields.length > 0;
  }

  #merge(schema: Schema): FieldMerge | undefined {
    const name = reference(schema);
    const target = name === undefined ? undefined : this.#schemas.get(name);
    if ([schema, target].some((known) => known?.['x-kubernetes-map-type'] === 'atomic')) return 'atomic';
    if (schema.type === 'array') return this.#mergeList(schema);
    return name !== undefined && this.#add(name) ? { type: shortName(name) } : undefined;
  }

  #mergeList(schema: Schema): FieldMerge | undefined {
    const listType = schema['x-kubernetes-list-type'];
    if (listType === 'set') return 'set';
    if (listType !== 'map') return undefined;
    const name = reference(schema.items ?? {});
    const item = name === undefined ? undefined : this.#schemas.get(name);
    const keys = Object.fromEntries(
      (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => [key, keyDefault(item, key)]),
    );
    const merge = this.#merge(schema.items ?? {});
    return merge === undefined ? { keys } : { keys, items: merge };
  }
}

/** Only texts: the default of a required number, 0, is never taken. */
function keyDefault(item: Schema | undefined, key: string): string {
  const value = item?.properties?.[key]?.default;
  return typeof value === 'string' ? value : '';
}

function reference({ $ref, allOf = [] }: Schema): string | undefined {
  return ($ref ?? allOf.find(isReference)?.$ref)?.split('/').at(-1);
}

function isReference(schema: Schema): boolean {
  return isRecord(schema) && schema.$ref !== undefined;
}

/** `io.k8s.api.core.v1.PodSpec` is `core.v1.PodSpec`. */
function shortName(name: string): string {
  return name.replace(/^io\.k8s\.(?:api|apimachinery\.pkg\.apis)\./, '');
}

if (import.meta.main) {
  const controlPlane = await startControlPlane({ controllerManager: false });
  try {
    writeFileSync(mergeTableFile, await mergeTableText(controlPlane));
  } finally {
    await controlPlane.stop();
  }
}
