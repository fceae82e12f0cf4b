import type { V1Service, V1ServicePort } from '@kubernetes/client-node';
import { protocols } from '../api/port-conflicts.ts';
import type { Relay } from '../api/relay.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';
import { serviceFamilies, type ObservedFamilies } from './service-families.ts';

/**
 * The Service that exposes every endpoint of `relay`, one Service port per distinct (port, protocol): two endpoints
 * may share one, each for its own family.
 *
 * @param observed  the families of the live Service; undefined where there is none yet.
 */
export function service(relay: Relay, observed: ObservedFamilies | undefined): Desired<V1Service> {
  const { annotations, type } = relay.service;
  const metadata = objectMeta(relay, relay.metadata.name);
  const { ipFamilyPolicy, ipFamilies } = serviceFamilies(relay, observed);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata:
      Object.keys(annotations).length === 0 ? metadata : { ...metadata, annotations: { ...annotations } },
    spec: {
      type,
      selector: selectorLabels(relay),
      ipFamilyPolicy,
      ...(ipFamilies === undefined ? {} : { ipFamilies: [...ipFamilies] }),
      ports: servicePorts(relay),
    },
  };
}

/** Named `tcp-443`: no two can be equal, and service meshes read the protocol off the prefix. */
function servicePorts({ endpoints }: Relay): V1ServicePort[] {
  const ports = endpoints.flatMap((endpoint) =>
    protocols(endpoint).map(
      (protocol) =>
        [
          `${protocol.toLowerCase()}-${String(endpoint.listen.port)}`,
          endpoint.listen.port,
          protocol,
        ] as const,
    ),
  );
  const distinct = new Map(
    ports.map(([name, port, protocol]) => [name, { name, port, protocol, targetPort: port }]),
  );
  return [...distinct.values()];
}
