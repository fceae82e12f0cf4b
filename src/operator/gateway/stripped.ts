import type { KubeObject } from '../../kube/object.ts';
import type { BackendServiceObject, EndpointSliceObject } from './kinds.ts';

/** The label with the name of the Service of an EndpointSlice. */
export const serviceNameLabel = 'kubernetes.io/service-name';

/** The part of a Service that is kept: there are many, and most of one is not needed here. Pure. */
export function strippedService(service: BackendServiceObject): BackendServiceObject {
  const { type, ipFamilies, clusterIPs, ports } = service.spec;
  return {
    ...bare(service),
    spec: {
      ...(type !== undefined && { type }),
      ...(ipFamilies !== undefined && { ipFamilies }),
      ...(clusterIPs !== undefined && { clusterIPs: clusterIPs.slice(0, 1) }),
      ports: (ports ?? []).map(({ name = '', port, protocol = 'TCP' }) => ({ name, port, protocol })),
    },
  };
}

/** The part of an EndpointSlice that is kept; nodes, zones and hints are not. Pure. */
export function strippedSlice(slice: EndpointSliceObject): EndpointSliceObject {
  const { addressType, ports, endpoints } = slice;
  const object = bare(slice);
  const service = slice.metadata.labels?.[serviceNameLabel];
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ...(service !== undefined && { labels: { [serviceNameLabel]: service } }),
    },
    addressType,
    ports: ports ?? [],
    endpoints: (endpoints ?? []).map(({ addresses, conditions = {}, targetRef }) => ({
      addresses: addresses.slice(0, 1),
      conditions,
      ...(targetRef?.uid !== undefined && { targetRef: { uid: targetRef.uid } }),
    })),
  };
}

/** The part of a Namespace that is kept: its labels. Pure. */
export function strippedNamespace(namespace: KubeObject): KubeObject {
  const object = bare(namespace);
  return { ...object, metadata: { ...object.metadata, labels: namespace.metadata.labels ?? {} } };
}

/** `object` with nothing but what identifies it and its version. */
function bare<T extends KubeObject>({
  apiVersion,
  kind,
  metadata,
}: T): Pick<T, 'apiVersion' | 'kind' | 'metadata'> {
  const { name, namespace, uid, resourceVersion } = metadata;
  const kept = { name, ...(namespace !== undefined && { namespace }), uid, resourceVersion };
  return { apiVersion, kind, metadata: kept as T['metadata'] };
}
