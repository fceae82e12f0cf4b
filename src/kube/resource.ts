import type { KubeObject } from './object.ts';

/** A kind of object and where the API server serves it. */
export type Resource = {
  /** `v1`, `apps/v1`, … */
  readonly apiVersion: string;
  readonly kind: string;
  /** As in the path: `deployments`. */
  readonly plural: string;
};

/** The path of all objects of `resource`, in `namespace` or, if absent, in all namespaces or of the cluster. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.apiVersion.includes('/') ? '/apis' : '/api';
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}/${resource.apiVersion}${scope}/${resource.plural}`;
}

/** The path of the object of `resource` with the name and namespace of `object`. */
export function objectPath(resource: Resource, object: KubeObject): string {
  return `${collectionPath(resource, object.metadata.namespace)}/${encodeURIComponent(object.metadata.name)}`;
}
