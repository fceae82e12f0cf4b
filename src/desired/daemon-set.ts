import type { V1DaemonSet } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { podTemplate } from './deployment.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';

/**
 * The DaemonSet that runs `relay` on every node that its Pod template selects.
 *
 * @param relayImage  image of the relay program, if the relay does not name one.
 */
export function daemonSet(relay: Relay, relayImage: string): Desired<V1DaemonSet> {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: objectMeta(relay, relay.metadata.name),
    spec: {
      selector: { matchLabels: selectorLabels(relay) },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: relay.workload.rollingUpdate },
      template: podTemplate(relay, relayImage),
    },
  };
}
