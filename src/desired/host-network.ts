import type { V1ContainerPort, V1PodSpec } from '@kubernetes/client-node';
import { lastPort, protocols } from '../api/port-conflicts.ts';
import { portPairs } from '../api/port-limits.ts';
import type { Relay } from '../api/relay.ts';
import { adminPort, maxServicePorts } from '../api/schema/endpoint.ts';
import { portsFrom } from '../lib/port-range.ts';

/** The fields that put the Pods of `relay` into the network of their nodes; they still resolve the names of the cluster. */
export function hostNetwork({ workload }: Relay): Partial<V1PodSpec> {
  return workload.hostNetwork ? { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' } : {};
}

/**
 * The ports of the relay container: that of the admin server and, on hostNetwork, those of every endpoint, so that the
 * scheduler knows which ports of a node are in use. The scheduler assumes every address of the node for each.
 *
 * More ports than a Service could have are not declared: a list of thousands does not fit into what the API server stores.
 * That of the admin server still keeps any two relays off one node.
 */
export function containerPorts({ endpoints, workload }: Relay): V1ContainerPort[] {
  const admin = { name: 'admin', containerPort: adminPort, protocol: 'TCP' };
  if (!workload.hostNetwork) return [admin];
  const onHost = { ...admin, hostPort: adminPort };
  if (portPairs(endpoints) > maxServicePorts) return [onHost];
  const ports = endpoints.flatMap((endpoint) =>
    portsFrom(endpoint.listen.port, lastPort(endpoint.listen)).flatMap((port) =>
      protocols(endpoint).map((protocol) => ({ containerPort: port, hostPort: port, protocol })),
    ),
  );
  const distinct = new Map(ports.map((port) => [`${port.protocol} ${String(port.containerPort)}`, port]));
  return [onHost, ...distinct.values()];
}
