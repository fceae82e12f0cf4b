import type { V1ContainerPort, V1PodSpec } from '@kubernetes/client-node';
import { lastPort, protocols } from '../api/port-conflicts.ts';
import type { Relay } from '../api/relay.ts';
import { adminPort } from '../api/schema/realm-relay.ts';
import { portsFrom } from '../lib/port-range.ts';

/** What puts the Pods of `relay` into the network of their nodes, with the names of the cluster all the same. */
export function hostNetwork({ workload }: Relay): Partial<V1PodSpec> {
  return workload.hostNetwork ? { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' } : {};
}

/**
 * The ports of the relay container: of the admin server and, on hostNetwork, of every endpoint, so that the scheduler knows
 * what is taken on a node. It takes all addresses of a node for taken, as far as it is concerned.
 */
export function containerPorts({ endpoints, workload }: Relay): V1ContainerPort[] {
  const admin = { name: 'admin', containerPort: adminPort, protocol: 'TCP' };
  if (!workload.hostNetwork) return [admin];
  const ports = endpoints.flatMap((endpoint) =>
    portsFrom(endpoint.listen.port, lastPort(endpoint.listen)).flatMap((port) =>
      protocols(endpoint).map((protocol) => ({ containerPort: port, hostPort: port, protocol })),
    ),
  );
  const distinct = new Map(ports.map((port) => [`${port.protocol} ${String(port.containerPort)}`, port]));
  return [{ ...admin, hostPort: adminPort }, ...distinct.values()];
}
