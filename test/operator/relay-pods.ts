import type { ObjectMeta } from '../../src/kube/object.ts';
import type { RelayPod } from '../../src/operator/pods.ts';

/** What of a Pod a test cares about. */
type PodChoice = {
  ready?: boolean;
  /** Kubelet cannot start it. */
  stuck?: boolean;
  annotated?: string;
  address?: string | undefined;
  metadata?: Partial<ObjectMeta>;
};

/** A Pod of the relay `edge/web`, ready by default; its uid is its name. */
export function relayPod(name: string, choice: PodChoice = {}): RelayPod {
  const { stuck = false, ready = !stuck, annotated, address = '192.0.2.10', metadata = {} } = choice;
  const labels = { 'app.kubernetes.io/instance': 'web', 'pod-template-hash': 'abc' };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-abc', uid: 'r', controller: true };
  const annotations = annotated === undefined ? {} : { 'realm-operator.dev/config-hash': annotated };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'edge',
      uid: name,
      labels,
      annotations,
      ownerReferences: [owner],
      ...metadata,
    },
    status: {
      ...(address === '' ? {} : { podIP: address }),
      ...(stuck && { phase: 'Pending' }),
      conditions: [
        condition('Ready', ready),
        ...(stuck ? [condition('PodReadyToStartContainers', false)] : []),
      ],
    },
  };
}

function condition(type: string, holds: boolean): { type: string; status: string } {
  return { type, status: holds ? 'True' : 'False' };
}
