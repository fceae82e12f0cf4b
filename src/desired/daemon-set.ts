import type { V1DaemonSet } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import type { RelayProgram } from './platform.ts';
import { podTemplate } from './deployment.ts';
import { objectMeta, selectorLabels, type Desired } from './object-meta.ts';

/**
 * The DaemonSet that runs `relay` on every node that its Pod template selects.
 *
 * @param program  what its Pods run.
 */
export function daemonSet(relay: Relay, program: RelayProgram): Desired<V1DaemonSet> {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: objectMeta(relay, relay.metadata.name),
    spec: {
      selector: { matchLabels: selectorLabels(relay) },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: relay.workload.rollingUpdate },
      template: podTemplate(relay, program),
    },
  };
}
