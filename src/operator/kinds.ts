import type { V1DaemonSet, V1Deployment, V1Service } from '@kubernetes/client-node';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { apiVersion, kind, plural } from '../api/schema/realm-relay.ts';
import { gatewayGroup } from '../gateway/types.ts';
import { plainRules } from '../kube/apply-rules.ts';
import type { OwnedKind } from '../kube/apply.ts';
import type { KubeObject, ObjectKey } from '../kube/object.ts';
import type { Resource } from '../kube/resource.ts';
import { Store } from '../kube/store.ts';
import { serviceRules } from './service-apply.ts';

/** A RealmRelay as the informer stores it, with its spec not parsed yet. */
export type RelayObject = KubeObject & { readonly spec?: unknown; readonly status?: RealmRelayStatus };

/** Where RealmRelays are served. */
export const relayResource: Resource = { apiVersion, kind, plural };

/** Where Gateways are served, if the Gateway API is installed. */
export const gatewayResource: Resource = {
  apiVersion: `${gatewayGroup}/v1`,
  kind: 'Gateway',
  plural: 'gateways',
};

/** Where Deployments are served. */
export const deploymentResource: Resource = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
};

/** Where Services are served. */
export const serviceResource: Resource = { apiVersion: 'v1', kind: 'Service', plural: 'services' };

/** The kinds that the operator writes, in the order in which they are pruned. */
export const ownedResources: readonly Resource[] = [
  serviceResource,
  { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', plural: 'horizontalpodautoscalers' },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
  deploymentResource,
  { apiVersion: 'apps/v1', kind: 'DaemonSet', plural: 'daemonsets' },
  { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', plural: 'networkpolicies' },
  { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
];

/** The owned kinds, each with its rules and an empty store that groups objects by `groupOf`. */
export function ownedKinds(groupOf?: (object: KubeObject) => ObjectKey | undefined): OwnedKind[] {
  return ownedResources.map((resource) => ({
    resource,
    store: new Store(groupOf),
    rules: resource.kind === 'Service' ? serviceRules : plainRules,
  }));
}

/** The kinds of objects that run Pods. */
export const workloadKinds: readonly string[] = ['Deployment', 'DaemonSet'];

/** What runs Pods. */
export type WorkloadObject = V1Deployment | V1DaemonSet;

/** The workload of this kind among `objects`. */
export function workloadOf(
  objects: readonly KubeObject[],
  kind: 'Deployment' | 'DaemonSet',
): WorkloadObject | undefined {
  return objects.find((object) => object.kind === kind) as WorkloadObject | undefined;
}

/** Whether `workload` is a DaemonSet. */
export function isDaemonSet(workload: WorkloadObject): workload is V1DaemonSet {
  return workload.kind === 'DaemonSet';
}

/** The Service among `objects`. */
export function serviceOf(objects: readonly KubeObject[]): V1Service | undefined {
  return objects.find(({ kind }) => kind === 'Service') as V1Service | undefined;
}
