import type { V1Service, V1ServicePort } from '@kubernetes/client-node';
import { lastPort, protocols } from '../api/port-conflicts.ts';
import type { Endpoint, Relay } from '../api/relay.ts';
import { portsFrom } from '../lib/port-range.ts';
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
  const ports = endpoints.flatMap(endpointPorts);
  return [...new Map(ports.map((port) => [port.name, port])).values()];
}

/** One for each port of a range: a Service has no ranges. */
function endpointPorts(endpoint: Endpoint): (V1ServicePort & { name: string })[] {
  const { listen } = endpoint;
  return portsFrom(listen.port, lastPort(listen)).flatMap((port) =>
    protocols(endpoint).map((protocol) => ({
      name: `${protocol.toLowerCase()}-${String(port)}`,
      port,
      protocol,
      targetPort: port,
    })),
  );
}
