import type { V1OwnerReference } from '@kubernetes/client-node';
import { isOwnObjectLabel, ownAnnotationPrefix } from '../api/label-rules.ts';
import type { Owner, Relay } from '../api/relay.ts';
import { version } from '../lib/version.ts';

/** The value of the label `managed-by`, by which the operator watches its objects; also its field manager. */
export const manager = 'realm-operator';

/**
 * The annotation with the hash of the configuration: on a running Pod, it makes kubelet sync the Pod and its ConfigMap at
 * once; in a Pod template, a change of it replaces the Pods.
 */
export const configHashAnnotation = 'realm-operator.dev/config-hash';

/** An object to apply: `T`, a model of client-node, with the metadata that the operator writes. */
export type Desired<T> = Omit<T, 'apiVersion' | 'kind' | 'metadata'> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: DesiredMeta;
};

export type DesiredMeta = {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
};

type OwnerReference = Required<
  Pick<V1OwnerReference, 'apiVersion' | 'kind' | 'name' | 'uid' | 'controller' | 'blockOwnerDeletion'>
>;

/** The labels that select the Pods of `relay`; they never change while it lives. */
export function selectorLabels(relay: Relay): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'realm-relay',
    'app.kubernetes.io/instance': relay.metadata.name,
    'app.kubernetes.io/managed-by': manager,
  };
}

/** The labels of the Pods of `relay`, without the version, so that an upgrade of the operator does not restart them. */
export function podLabels(relay: Relay): Record<string, string> {
  return { ...selectorLabels(relay), 'app.kubernetes.io/component': 'relay' };
}

/** Labels and annotations. */
type LabelsAndAnnotations = Relay['commonMetadata'];

/** What users give every object of `relay`, without what the operator sets itself. */
export function commonMetadata({ commonMetadata: { labels, annotations } }: Relay): LabelsAndAnnotations {
  return {
    labels: without(labels, isOwnObjectLabel),
    annotations: without(annotations, (key) => key.startsWith(ownAnnotationPrefix)),
  };
}

function without(
  record: Readonly<Record<string, string>>,
  isOut: (key: string) => boolean,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => !isOut(key)));
}

/**
 * The metadata of an object of `relay`. A relay from a file has no owner, so neither have its objects.
 *
 * @param own  labels and annotations that users give this object alone.
 */
export function objectMeta(relay: Relay, name: string, own: Partial<LabelsAndAnnotations> = {}): DesiredMeta {
  const common = commonMetadata(relay);
  const annotations = { ...common.annotations, ...own.annotations };
  return {
    name,
    namespace: relay.metadata.namespace,
    labels: {
      ...common.labels,
      ...own.labels,
      ...podLabels(relay),
      'app.kubernetes.io/version': version,
    },
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(relay.owner && { ownerReferences: [controllerReference(relay.owner)] }),
  };
}

function controllerReference({ apiVersion, kind, name, uid }: Owner): OwnerReference {
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
