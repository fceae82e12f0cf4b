import type { ApplyRules, PatchOperation } from '../kube/apply-rules.ts';
import type { KubeObject } from '../kube/object.ts';

type Port = { readonly port: number; readonly protocol?: string };
type ServiceObject = KubeObject & { readonly spec?: { readonly ports?: readonly Port[] } };

/**
 * How Services are applied. Server-side apply leaves foreign entries of a list where they are, and a foreign port lets
 * traffic in, so such ports are removed. The IP families are not part of what identifies a wanted Service: the cluster
 * chooses them on creation, and what is wanted afterwards repeats its choice.
 */
export const serviceRules: ApplyRules = {
  identity: (desired) => {
    const { spec = {} } = desired as ServiceObject;
    return { ...desired, spec: { ...spec, ipFamilies: undefined } };
  },
  removal: foreignPortsPatch,
  cleaned: ['.spec', '.ports'],
};

/**
 * The JSON patch that removes the ports of a Service which are not wanted.
 *
 * It tests the resource version, since it addresses ports by their position in the list. A Service must have a port: if none
 * of ours is left, the list is replaced by the wanted one.
 *
 * @returns undefined if there is no such port.
 */
function foreignPortsPatch(desired: KubeObject, observed: KubeObject): PatchOperation[] | undefined {
  const wanted = (desired as ServiceObject).spec?.ports ?? [];
  const present = (observed as ServiceObject).spec?.ports ?? [];
  const keys = new Set(wanted.map(portKey));
  const foreign = present.flatMap((port, index) => (keys.has(portKey(port)) ? [] : [index]));
  if (foreign.length === 0) return undefined;
  const { resourceVersion } = observed.metadata;
  const test = { op: 'test', path: '/metadata/resourceVersion', value: resourceVersion } as const;
  if (foreign.length === present.length) return [test, { op: 'replace', path: '/spec/ports', value: wanted }];
  // From the end, so that the positions of those before stay valid.
  return [
    test,
    ...foreign.toReversed().map((index) => ({ op: 'remove', path: `/spec/ports/${String(index)}` }) as const),
  ];
}

function portKey({ port, protocol = 'TCP' }: Port): string {
  return `${String(port)}/${protocol}`;
}
