import { readFileSync } from 'node:fs';
import { eventually } from '../support/eventually.ts';
import type { TestNode } from '../cluster/node.ts';
import { type Backend, backendPort } from './backend.ts';
import { kubectl } from './install.ts';

/** An endpoint of a RealmRelay as a user writes it. */
export type Endpoint = {
  readonly name: string;
  readonly listen: { readonly address: string; readonly port: number; readonly endPort?: number };
  readonly remotes: readonly {
    readonly address: string;
    readonly port: number;
    readonly fixedPort?: boolean;
  }[];
  readonly network?: {
    readonly ipv6Only?: boolean;
    readonly tcp?: boolean;
    readonly udp?: boolean;
    readonly sendProxy?: { readonly enabled: boolean; readonly version: number };
  };
  readonly listenTransport?: { readonly tls: { readonly secretName: string } };
};

/** The addresses of a dual-stack Service. */
export type ClusterAddresses = { readonly ipv4: string; readonly ipv6: string };

/** `[::]:443` to `six` and `0.0.0.0:443` to `four`: each serves the clients of one family. */
export function webEndpoints(six: Backend, four: Backend): readonly Endpoint[] {
  return [
    {
      name: 'web-v6',
      listen: { address: '::', port: 443 },
      remotes: [{ address: six.ipv6, port: backendPort }],
      network: { ipv6Only: true },
    },
    {
      name: 'web-v4',
      listen: { address: '0.0.0.0', port: 443 },
      remotes: [{ address: four.ipv4, port: backendPort }],
    },
  ];
}

/** Applies a RealmRelay and resolves when it is Ready at that generation. */
export function applyRelay(
  node: TestNode,
  namespace: string,
  name: string,
  endpoints: readonly Endpoint[],
): Promise<void> {
  return applyManifest(node, namespace, name, relayManifest(name, endpoints));
}

/** The same for a manifest, see {@link relayManifest}. */
export async function applyManifest(
  node: TestNode,
  namespace: string,
  name: string,
  manifest: string,
): Promise<void> {
  await kubectl(node, ['-n', namespace, 'apply', '-f', '-'], manifest);
  await eventually(
    `RealmRelay ${name} Ready`,
    async () => {
      const { metadata, status } = await readRelay(node, namespace, name);
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      return ready?.status === 'True' && status.observedGeneration === metadata.generation;
    },
    { timeoutMs: 60_000, intervalMs: 200 },
  );
}

/** The manifest of a RealmRelay for kubectl, with `more` in its spec. */
export function relayManifest(
  name: string,
  endpoints: readonly Endpoint[],
  more: object = { drainSeconds: 20 },
): string {
  return JSON.stringify({
    apiVersion: 'realm-operator.dev/v1alpha1',
    kind: 'RealmRelay',
    metadata: { name },
    spec: { ...more, endpoints },
  });
}

/** The message of the condition Ready of a RealmRelay. */
export async function readyMessage(node: TestNode, namespace: string, name: string): Promise<string> {
  const { status } = await readRelay(node, namespace, name);
  return status.conditions?.find(({ type }) => type === 'Ready')?.message ?? '';
}

/** Creates or replaces a Secret of type kubernetes.io/tls from files. */
export async function applyTlsSecret(
  node: TestNode,
  namespace: string,
  name: string,
  { cert, key }: { readonly cert: string; readonly key: string },
): Promise<void> {
  const [crt, pem] = [cert, key].map((file) => readFileSync(file).toString('base64'));
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': crt, 'tls.key': pem },
  };
  await kubectl(node, ['-n', namespace, 'apply', '-f', '-'], JSON.stringify(secret));
}

type RelayStatus = {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly status: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message: string;
    }[];
  };
};

async function readRelay(node: TestNode, namespace: string, name: string): Promise<RelayStatus> {
  const path = `/apis/realm-operator.dev/v1alpha1/namespaces/${namespace}/realmrelays/${name}`;
  return (await node.request('GET', path)).json() as RelayStatus;
}

/** The cluster addresses of the Service of a RealmRelay. */
export async function clusterAddresses(
  node: TestNode,
  namespace: string,
  name: string,
): Promise<ClusterAddresses> {
  const answer = await node.request('GET', `/api/v1/namespaces/${namespace}/services/${name}`);
  const { clusterIPs } = (answer.json() as { spec: { clusterIPs: readonly string[] } }).spec;
  const ipv6 = clusterIPs.find((address) => address.includes(':'));
  const ipv4 = clusterIPs.find((address) => address.includes('.'));
  if (ipv4 === undefined || ipv6 === undefined)
    throw new Error(`Service ${name} has only ${clusterIPs.join()}`);
  return { ipv4, ipv6 };
}

/** Creates a ConfigMap and a Deployment that another version of the operator might have left behind. */
export async function ownLeftovers(node: TestNode, namespace: string, name: string): Promise<void> {
  const { metadata: owner } = await readRelay(node, namespace, name);
  const labels = { 'app.kubernetes.io/managed-by': 'realm-operator' };
  const ownerReferences = [
    { apiVersion: 'realm-operator.dev/v1alpha1', kind: 'RealmRelay', name, uid: owner.uid, controller: true },
  ];
  const metadata = { name: `${name}-left`, labels, ownerReferences };
  const pod = { metadata: { labels }, spec: { containers: [{ name: 'none', image: 'none' }] } };
  const spec = { replicas: 0, selector: { matchLabels: labels }, template: pod };
  const items = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec },
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await kubectl(node, ['-n', namespace, 'create', '-f', '-'], list);
}

/** Names of the Pods of a RealmRelay. */
export async function relayPods(node: TestNode, namespace: string, name: string): Promise<readonly string[]> {
  const selector = `--selector=app.kubernetes.io/instance=${name}`;
  const names = await kubectl(node, ['-n', namespace, 'get', 'pods', selector, '--output=name']);
  return names.split('\n').filter((line) => line !== '');
}

/**
 * Requests the eviction of a Pod, as `kubectl drain` does.
 *
 * @param pod  a name that {@link relayPods} returns.
 * @returns the status of the answer: 429 if a budget forbids it.
 */
export async function evict(
  node: TestNode,
  namespace: string,
  pod: string,
  deleteOptions: { readonly dryRun?: readonly ['All'] } = {},
): Promise<number> {
  const metadata = { name: pod.replace('pod/', ''), namespace };
  const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/eviction`;
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata, deleteOptions };
  return (await node.request('POST', path, body)).status;
}

/** All objects in `namespace` that an operator creates or causes, as kubectl names them. */
export async function objectsOf(node: TestNode, namespace: string, name: string): Promise<readonly string[]> {
  const workloads = 'deployments,replicasets,daemonsets,pods,horizontalpodautoscalers,poddisruptionbudgets';
  const kinds = `${workloads},services,endpointslices,configmaps,networkpolicies`;
  const names = await kubectl(node, ['-n', namespace, 'get', kinds, '--output=name']);
  return names.split('\n').filter((line) => line.split('/')[1]?.startsWith(name) ?? false);
}
