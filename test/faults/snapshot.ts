import { createHash } from 'node:crypto';
import { isRecord } from '../../src/lib/record.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import type { Answered } from '../operator/fault-proxy.ts';

/** What a namespace holds, without what differs between two runs of one scenario: text by `resource/name`. */
export type Snapshot = Readonly<Record<string, unknown>>;

/** What the operator may write, and what it must leave alone. */
const collections = [
  '/api/v1/{}/configmaps',
  '/api/v1/{}/services',
  '/api/v1/{}/secrets',
  '/apis/apps/v1/{}/deployments',
  '/apis/apps/v1/{}/daemonsets',
  '/apis/policy/v1/{}/poddisruptionbudgets',
  '/apis/networking.k8s.io/v1/{}/networkpolicies',
  '/apis/autoscaling/v2/{}/horizontalpodautoscalers',
  '/apis/realm-operator.dev/v1alpha1/{}/realmrelays',
];

/** What the API server and other controllers choose, each time anew, and a hash of that. */
const volatile = new Set([
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'managedFields',
  'generation',
  'clusterIP',
  'clusterIPs',
  'nodePort',
  'healthCheckNodePort',
  'lastTransitionTime',
  'realm-operator.dev/applied-hash',
  'deployment.kubernetes.io/revision',
  'deprecated.daemonset.template.generation',
]);

/** What `namespace` holds now. */
export async function snapshot(cluster: ControlPlane, namespace: string): Promise<Snapshot> {
  const lists = await Promise.all(
    collections.map(async (collection) => {
      const path = collection.replace('{}', `namespaces/${namespace}`);
      const { status, json, text } = await cluster.request('GET', path);
      if (status !== 200) throw new Error(`${path}: ${String(status)} ${text}`);
      const { items } = json() as { items: readonly Item[] };
      return items.map((item) => [`${path.split('/').at(-1) ?? ''}/${item.metadata.name}`, item] as const);
    }),
  );
  const items = lists.flat();
  const addresses = items.flatMap(([, { spec }]) => (spec?.['clusterIPs'] ?? []) as string[]);
  const settled = items.map(([key, item]) => [
    key,
    lasting(withoutForeignStatus(key, item), addresses, namespace),
  ]);
  return Object.fromEntries(settled) as Snapshot;
}

type Item = {
  readonly metadata: { readonly name: string; readonly generation?: number };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
};

/** The status of a RealmRelay is the operator's, and has to be of the newest spec; every other one is not the operator's. */
function withoutForeignStatus(key: string, { status, ...item }: Item): unknown {
  if (!key.startsWith('realmrelays/')) return item;
  const isNewest = status?.['observedGeneration'] === item.metadata.generation;
  return { ...item, status: { ...status, observedGeneration: isNewest ? 'the newest' : 'an older one' } };
}

/** `value` without what is volatile, with stand-ins for the cluster's addresses and the namespace. */
function lasting(value: unknown, addresses: readonly string[], namespace: string): unknown {
  if (Array.isArray(value)) return value.map((each) => lasting(each, addresses, namespace));
  if (typeof value === 'string') {
    return addresses.includes(value) ? 'a cluster IP' : value.replaceAll(namespace, 'NAMESPACE');
  }
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !volatile.has(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, lasting(each, addresses, namespace)]));
}

/** The differences between two snapshots, a line each; none if they are equal. */
export function differences(wanted: unknown, found: unknown, path = ''): string[] {
  if (JSON.stringify(wanted) === JSON.stringify(found)) return [];
  if (found === undefined) return [`${path} is missing`];
  if (wanted === undefined) return [`${path} is left over`];
  if (!isRecord(wanted) || !isRecord(found))
    return [`${path} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`];
  const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])].toSorted();
  return keys.flatMap((key) => differences(wanted[key], found[key], `${path} ${key}`.trimStart()));
}

/** The operator's writes among `answered`, as `METHOD path`, without the namespace's name. */
export function writtenPaths(answered: readonly Answered[], namespace: string): ReadonlySet<string> {
  return new Set(answered.filter(isWrite).map((request) => pathOf(request, namespace)));
}

/** The Pod templates among `answered` that were taken, by hash: each new one replaces Pods. */
export function podTemplates(answered: readonly Answered[]): ReadonlySet<string> {
  const workloads = answered.filter(
    ({ method, url, status }) =>
      method === 'PATCH' && status < 300 && /\/(deployments|daemonsets)\//.test(url.pathname),
  );
  return new Set(
    workloads.flatMap(({ body, url }) => {
      const { template } = (JSON.parse(body) as { spec?: { template?: unknown } }).spec ?? {};
      if (template === undefined) return [];
      const hash = createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 8);
      return [`${url.pathname.split('/').slice(-2).join('/')} ${hash}`];
    }),
  );
}

/** Whether a request is a write of an object; events and leases are none. */
export function isWrite({ method, url }: Pick<Answered, 'method' | 'url'>): boolean {
  return method !== 'GET' && !/\/(events|leases)(\/|$)/.test(url.pathname);
}

function pathOf({ method, url }: Answered, namespace: string): string {
  return `${method} ${url.pathname.replace(namespace, 'NAMESPACE')}`;
}
