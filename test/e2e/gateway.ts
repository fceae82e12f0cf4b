import { crdsServed, gatewayCrds } from '../cluster/crds.ts';
import type { TestNode } from '../cluster/node.ts';
import { installOperator, kubectl } from './install.ts';

const gatewayApi = 'gateway.networking.k8s.io/v1';
const ownApi = 'realm-operator.dev/v1alpha1';
const parameters = 'internal';

/** Installs the Gateway API and an operator. @returns a namespace to use them in. */
export async function installGatewayApi(node: TestNode): Promise<string> {
  await kubectl(node, ['apply', '--server-side', '-f', gatewayCrds]);
  await crdsServed((args) => kubectl(node, args));
  const namespace = await node.namespace({});
  await installOperator(node);
  return namespace;
}

/**
 * Applies a Gateway `edge` of type ClusterIP and its class, a TCPRoute from all of its listeners to port 80 of the Service
 * `backend`, and `others`, such as that Service.
 */
export async function applyGateway(
  node: TestNode,
  namespace: string,
  listeners: readonly object[],
  others: readonly object[],
): Promise<void> {
  const parametersRef = { group: 'realm-operator.dev', kind: 'RealmGatewayParameters', name: parameters };
  const items = [
    {
      apiVersion: gatewayApi,
      kind: 'GatewayClass',
      metadata: { name: 'realm' },
      spec: { controllerName: 'realm-operator.dev/gateway-controller' },
    },
    {
      apiVersion: ownApi,
      kind: 'RealmGatewayParameters',
      metadata: { name: parameters },
      spec: { service: { type: 'ClusterIP' } },
    },
    {
      apiVersion: gatewayApi,
      kind: 'Gateway',
      metadata: { name: 'edge' },
      spec: { gatewayClassName: 'realm', infrastructure: { parametersRef }, listeners },
    },
    {
      apiVersion: gatewayApi,
      kind: 'TCPRoute',
      metadata: { name: 'edge' },
      spec: { parentRefs: [{ name: 'edge' }], rules: [{ backendRefs: [{ name: 'backend', port: 80 }] }] },
    },
    ...others,
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await kubectl(node, ['-n', namespace, 'apply', '-f', '-'], list);
}
