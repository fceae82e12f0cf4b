import type { V1NetworkPolicy, V1NetworkPolicyPeer, V1NetworkPolicyPort } from '@kubernetes/client-node';
import { protocols } from '../api/port-conflicts.ts';
import type { Relay } from '../api/relay.ts';
import { adminPort } from '../api/schema/endpoint.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';
import { withoutEmpty } from './without-empty.ts';

/**
 * Selects the operator's Pods in `namespace` alone: anyone may give a Pod of their own its label. The API server sets
 * the label of the namespace.
 */
function operator(namespace: string): V1NetworkPolicyPeer {
  return {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'realm-operator' } },
  };
}

/**
 * The NetworkPolicy of `relay`, if the user wants one. It admits clients to the endpoints, and the operator to the admin port.
 *
 * Kubelet's probes need no rule: by definition of NetworkPolicy, processes on a Pod's node can always reach it.
 *
 * @param operatorNamespace  where the operator's Pods run.
 */
export function networkPolicy(relay: Relay, operatorNamespace: string): Desired<V1NetworkPolicy>[] {
  const { enabled, allowFrom } = relay.networkPolicy;
  if (!enabled) return [];
  const from = withoutEmpty(allowFrom) as V1NetworkPolicyPeer[];
  return [
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: objectMeta(relay, relay.metadata.name),
      spec: {
        podSelector: { matchLabels: selectorLabels(relay) },
        policyTypes: ['Ingress'],
        ingress: [
          // An empty list also admits everyone, but the API server would drop it.
          { ports: endpointPorts(relay), ...(from.length > 0 && { from }) },
          { ports: [{ port: adminPort, protocol: 'TCP' }], from: [operator(operatorNamespace)] },
        ],
      },
    },
  ];
}

function endpointPorts({ endpoints }: Relay): V1NetworkPolicyPort[] {
  const ports = endpoints.flatMap((endpoint) => {
    const { port, endPort = port } = endpoint.listen;
    return protocols(endpoint).map((protocol) => ({ port, ...(endPort > port && { endPort }), protocol }));
  });
  const distinct = new Map(ports.map((port) => [JSON.stringify(port), port]));
  return [...distinct.values()];
}
