import { present } from '../lib/record.ts';
import type { PodTemplate, Relay } from './relay.ts';
import type { RealmRelaySpec } from './schema/realm-relay.ts';

/** The Pod template as the user wrote it, with nothing absent. */
export function resolvedPodTemplate({ podTemplate }: Pick<RealmRelaySpec, 'podTemplate'>): PodTemplate {
  const { metadata = {}, spec = {} } = podTemplate ?? {};
  return {
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    nodeSelector: spec.nodeSelector ?? {},
    tolerations: spec.tolerations ?? [],
    affinity: spec.affinity ?? {},
    ...present('topologySpreadConstraints', spec.topologySpreadConstraints),
    imagePullSecrets: (spec.imagePullSecrets ?? []).map(({ name }) => name),
    ...present('priorityClassName', spec.priorityClassName),
    ...present('serviceAccountName', spec.serviceAccountName),
  };
}

/** The labels and annotations of every object as the user wrote them, with nothing absent. */
export function resolvedCommonMetadata({ commonMetadata = {} }: RealmRelaySpec): Relay['commonMetadata'] {
  return { labels: commonMetadata.labels ?? {}, annotations: commonMetadata.annotations ?? {} };
}
