import type { V1Deployment, V1Service } from '@kubernetes/client-node';
import type { RealmRelayStatus } from '../api/schema.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Resource } from '../kube/resource.ts';
import { apiVersion, kind, plural } from '../api/schema.ts';

/** A RealmRelay as the informer has it: its spec is not yet parsed. */
export type RelayObject = KubeObject & { readonly spec?: unknown; readonly status?: RealmRelayStatus };

/** The kinds that are read and written, and where. */
export const relayResource: Resource = { apiVersion, kind, plural };

/** In the order in which they are pruned. */
export const ownedResources: readonly Resource[] = [
  { apiVersion: 'v1', kind: 'Service', plural: 'services' },
  { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', plural: 'poddisruptionbudgets' },
  { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' },
  { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
];

/** The Deployment among `objects`. */
export function deploymentOf(objects: readonly KubeObject[]): V1Deployment | undefined {
  return objects.find(({ kind }) => kind === 'Deployment') as V1Deployment | undefined;
}

/** The Service among `objects`. */
export function serviceOf(objects: readonly KubeObject[]): V1Service | undefined {
  return objects.find(({ kind }) => kind === 'Service') as V1Service | undefined;
}
