import type { KubeObject } from './object.ts';

/** One operation of a JSON patch. Source: RFC 6902. */
export type PatchOperation =
  | { readonly op: 'test' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

type Port = { readonly port: number; readonly protocol?: string };
type Ports = { readonly spec?: { readonly ports?: readonly Port[] } };

/**
 * The JSON patch that takes those ports off a Service which we do not want: server-side apply leaves foreign entries of
 * a list where they are, and a port too many is traffic let in.
 *
 * It tests the resource version, since it goes by positions in the list. A Service must have a port: where none of ours
 * is left, the list becomes the wanted one.
 *
 * @returns undefined where there is none to take off, or the objects are not Services.
 */
export function foreignPortsPatch(desired: KubeObject, observed: KubeObject): PatchOperation[] | undefined {
  if (desired.kind !== 'Service') return undefined;
  const wanted = (desired as Ports).spec?.ports ?? [];
  const present = (observed as Ports).spec?.ports ?? [];
  const keys = new Set(wanted.map(portKey));
  const foreign = present.flatMap((port, index) => (keys.has(portKey(port)) ? [] : [index]));
  if (foreign.length === 0) return undefined;
  const test = {
    op: 'test',
    path: '/metadata/resourceVersion',
    value: observed.metadata.resourceVersion,
  } as const;
  if (foreign.length === present.length) return [test, { op: 'replace', path: '/spec/ports', value: wanted }];
  // From the end, so that what is left keeps its positions.
  return [
    test,
    ...foreign.toReversed().map((index) => ({ op: 'remove', path: `/spec/ports/${String(index)}` }) as const),
  ];
}

function portKey({ port, protocol = 'TCP' }: Port): string {
  return `${String(port)}/${protocol}`;
}
