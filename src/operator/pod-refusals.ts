import type { V1DaemonSet } from '@kubernetes/client-node';
import type { KubeClient } from '../kube/client.ts';
import type { KubeObject } from '../kube/object.ts';
import { asError } from '../lib/errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import { OutageLog } from '../telemetry/outage-log.ts';
import { isDaemonSet, workloadOf } from './kinds.ts';

/** Failed tries of a controller are one event with a count, or few. */
const maxEvents = 20;

/** What an event of `events.k8s.io/v1` has of interest here. */
export type KubernetesEvent = {
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly series?: { readonly lastObservedTime?: string } | null;
};

/** The DaemonSet among `owned` that has fewer Pods than nodes to run them; undefined if there is none. Pure. */
export function shortDaemonSet(owned: readonly KubeObject[]): V1DaemonSet | undefined {
  const workload = workloadOf(owned, 'DaemonSet');
  if (workload === undefined || !isDaemonSet(workload)) return undefined;
  const { desiredNumberScheduled = 0, currentNumberScheduled = 0 } = workload.status ?? {};
  return currentNumberScheduled < desiredNumberScheduled ? workload : undefined;
}

/**
 * Reads why the API server refuses the Pods of DaemonSets: their controller reports that in events alone, where that of
 * Deployments sets a condition.
 */
export class PodRefusals {
  readonly #client: KubeClient;
  readonly #outage: OutageLog;

  constructor(client: KubeClient, log: Logger) {
    this.#client = client;
    this.#outage = new OutageLog(log, {
      failing: 'cannot read events, so the status does not say why Pods are refused',
      working: 'events can be read again',
    });
  }

  /** The newest refusal of a Pod of `daemonSet`; undefined if none is known. Never rejects. */
  async latest({ metadata = {} }: V1DaemonSet): Promise<string | undefined> {
    const { namespace = '', uid = '' } = metadata;
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const query = { fieldSelector: `regarding.uid=${uid},reason=FailedCreate`, limit: String(maxEvents) };
    try {
      const answer = await this.#client.request({ method: 'GET', path, query });
      this.#outage.worked(namespace);
      return newestNote((answer as { readonly items?: readonly KubernetesEvent[] | null }).items ?? []);
    } catch (error) {
      this.#outage.failed(asError(error), { namespace }, namespace);
      return undefined;
    }
  }
}

/** What the newest of `events` states, without what its controller puts before each refusal. Pure. */
export function newestNote(events: readonly KubernetesEvent[]): string | undefined {
  const newest = events.toSorted((a, b) => Date.parse(lastTime(b)) - Date.parse(lastTime(a)))[0];
  return newest?.note?.replace(/^(\(combined from similar events\): )?Error creating: /, '');
}

function lastTime({ series, deprecatedLastTimestamp, eventTime }: KubernetesEvent): string {
  return series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? '1970-01-01T00:00:00Z';
}
