import { conditionTime } from '../api/dated-conditions.ts';
import { boundFamilies, listenText, protocols } from '../api/port-conflicts.ts';
import type { Endpoint, Relay } from '../api/relay.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { configHash } from '../desired/config-map.ts';
import { neededSecrets } from '../desired/transports.ts';
import { present } from '../lib/record.ts';
import type { KubeObject } from '../kube/object.ts';
import { conditions } from './conditions.ts';
import { type RelayObject, serviceOf, type WorkloadObject, workloadOf } from './kinds.ts';
import { podCounts, rollout } from './rollout.ts';
import { endpointReadiness, rolloutOf, type RunningPods } from './running-pods.ts';
import { serviceAddresses, shortList, withAddress } from './service-status.ts';
import { configured, type Verdict } from './verdict.ts';

/** What a status is computed from. */
export type StatusInput = {
  /** The RealmRelay with its current status. */
  readonly object: RelayObject;
  readonly verdict: Verdict;
  /** The objects that it owns now. */
  readonly owned: readonly KubeObject[];
  /** The installation of the operator. */
  readonly operator: string;
  /** What its Pods run. */
  readonly running: RunningPods;
  /** The current time, for conditions that change. */
  readonly now: Date;
};

type Status = RealmRelayStatus;

/**
 * The status of a RealmRelay after a reconcile. Pure; equal to the previous status if nothing changed.
 *
 * Fields about the configuration describe the one that was last applied; fields about Pods and addresses are observed.
 */
export function status({ object, operator, verdict, owned, running, now }: StatusInput): RealmRelayStatus {
  const kind = workloadKind(verdict, owned);
  const workload = workloadOf(owned, kind);
  const { metadata, status: previous = {} } = object;
  const { generation = 0 } = metadata;
  const secrets = neededSecrets(configured(verdict)?.endpoints ?? []);
  const dating = {
    previous: previous.conditions ?? [],
    generation,
    now: conditionTime(now),
  };
  const service = serviceOf(owned);
  const progress = rolloutOf(rollout(workload, kind), running, secrets);
  return {
    ...configuration(verdict, previous, running),
    ...pods(workload, previous),
    ...present('updatedReplicas', running.updated),
    observedGeneration: generation,
    operator,
    ...serviceAddresses(service),
    conditions: conditions(verdict, withAddress(progress, service), dating),
  };
}

/** The wanted kind or, if the spec is not known, the kind that exists. */
function workloadKind(verdict: Verdict, owned: readonly KubeObject[]): 'Deployment' | 'DaemonSet' {
  const wanted = configured(verdict)?.workload.kind;
  if (wanted !== undefined) return wanted;
  return workloadOf(owned, 'Deployment') === undefined && workloadOf(owned, 'DaemonSet') !== undefined
    ? 'DaemonSet'
    : 'Deployment';
}

function pods(workload: WorkloadObject | undefined, previous: Status): Partial<Status> {
  const selector = present(
    'selector',
    labelSelector(workload?.spec?.selector.matchLabels) ?? previous.selector,
  );
  if (workload === undefined) return { replicas: 0, readyReplicas: 0, ...selector };
  const { wanted, present: replicas, ready: readyReplicas } = podCounts(workload);
  return { replicas, readyReplicas, readyPods: `${String(readyReplicas)}/${String(wanted)}`, ...selector };
}

function configuration(verdict: Verdict, previous: Status, running: RunningPods): Partial<Status> {
  const relay = configured(verdict);
  if (relay === undefined) {
    const { configHash, listening, endpoints } = previous;
    return {
      ...present('configHash', configHash),
      ...present('listening', listening),
      ...present(
        'endpoints',
        endpoints?.map((endpoint) => withReadiness(endpoint, running)),
      ),
    };
  }
  return {
    configHash: configHash(relay),
    listening: listening(relay),
    endpoints: relay.endpoints
      .map((endpoint) => withReadiness(endpointStatus(endpoint), running))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function listening({ endpoints }: Relay): string {
  return shortList([...new Set(endpoints.map(listenText))]);
}

type EndpointStatus = NonNullable<Status['endpoints']>[number];

function withReadiness(
  { name, listen, families, protocols }: EndpointStatus,
  running: RunningPods,
): EndpointStatus {
  return { name, listen, families, protocols, ...endpointReadiness(running, name) };
}

function endpointStatus(endpoint: Endpoint): EndpointStatus {
  const { address } = endpoint.listen;
  return {
    name: endpoint.name,
    listen: listenText(endpoint),
    families: boundFamilies({ address, ipv6Only: endpoint.network.ipv6Only }),
    protocols: protocols(endpoint),
  };
}

/** `labels` as `kubectl -l` takes them, sorted. */
function labelSelector(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  if (labels === undefined) return undefined;
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted()
    .join(',');
}
