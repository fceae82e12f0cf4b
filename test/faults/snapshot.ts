import { createHash } from 'node:crypto';
import { isRecord } from '../../src/lib/record.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import type { Answered } from '../operator/fault-proxy.ts';

/** What a namespace holds, without what differs between two runs of one scenario: each object by `resource/name`. */
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

/**
 * What `namespace` holds now.
 *
 * @param relay  to leave out what is not of this RealmRelay, whose name is replaced, too; default all.
 */
export async function snapshot(cluster: ControlPlane, namespace: string, relay?: string): Promise<Snapshot> {
  const lists = await Promise.all(
    collections.map(async (collection) => {
      const path = collection.replace('{}', `namespaces/${namespace}`);
      const { status, json, text } = await cluster.request('GET', path);
      if (status !== 200) throw new Error(`${path}: ${String(status)} ${text}`);
      const { items } = json() as { items: readonly Item[] };
      return items.map((item) => [`${path.split('/').at(-1) ?? ''}/${item.metadata.name}`, item] as const);
    }),
  );
  const items = lists.flat().filter(([, { metadata }]) => metadata.name.startsWith(relay ?? ''));
  const addresses = items.flatMap(([, { spec }]) => (spec?.['clusterIPs'] ?? []) as string[]);
  const names = new Map([
    ...addresses.map((address) => [address, 'a cluster IP'] as const),
    [namespace, 'NAMESPACE'],
    ...(relay === undefined ? [] : ([[relay, 'RELAY']] as const)),
  ]);
  const settled = items.map(([key, item]) => [
    lastingText(key, names),
    lasting(withoutForeignStatus(key, item), names),
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
  const { generation } = item.metadata;
  return { ...item, status: withAges(status, generation) };
}

/** `value` with `newest` or `older` for each observed generation. */
function withAges(value: unknown, generation: number | undefined): unknown {
  if (Array.isArray(value)) return value.map((each) => withAges(each, generation));
  if (!isRecord(value)) return value;
  const aged = Object.entries(value).map(([key, each]) => {
    if (key !== 'observedGeneration') return [key, withAges(each, generation)] as const;
    return [key, each === generation ? 'newest' : 'older'] as const;
  });
  return Object.fromEntries(aged);
}

/** `value` without what is volatile, with `names` for what differs between two runs. */
function lasting(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each) => lasting(each, names));
  if (typeof value === 'string') return lastingText(value, names);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !volatile.has(key));
  return Object.fromEntries(kept.map(([key, each]) => [key, lasting(each, names)]));
}

function lastingText(text: string, names: ReadonlyMap<string, string>): string {
  return [...names].reduce((replaced, [from, to]) => replaced.replaceAll(from, to), text);
}

/** The differences between two snapshots, a line each; none if they are equal. */
export function differences(wanted: unknown, found: unknown, path = ''): string[] {
  if (JSON.stringify(wanted) === JSON.stringify(found)) return [];
  if (found === undefined) return [`${path} is missing`];
  if (wanted === undefined) return [`${path} is left over`];
  const [left, right] = [fieldsOf(wanted), fieldsOf(found)];
  if (left === undefined || right === undefined)
    return [`${path} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].toSorted();
  return keys.flatMap((key) => differences(left[key], right[key], `${path} ${key}`.trimStart()));
}

/** The fields of an object, or the items of a list by their index; undefined for anything else. */
function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (Array.isArray(value)) return Object.fromEntries(Object.entries(value));
  return isRecord(value) ? value : undefined;
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
