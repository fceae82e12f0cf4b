import { nodeConflicts } from '../api/node-conflicts.ts';
import type { Relay } from '../api/relay.ts';
import type { RelayObject } from './kinds.ts';

/** What `nodeSharing` reads from the cluster. */
export type NodeSharingCluster = {
  /** The RealmRelays on hostNetwork whose specs can be read. */
  relaysOnHostNetwork: () => readonly Relay[];
  /** The Pod Security Standard that a namespace enforces; undefined if it enforces none, or cannot be read. */
  podSecurity: (namespace: string) => Promise<string | undefined>;
};

/** What may keep the Pods of a relay from running although its spec is valid. */
export type NodeSharing = { readonly notes: readonly string[]; readonly isConflict: boolean };

/** What keeps `relay` from the network of its nodes: Pod Security, and other relays. Empty if it is not on hostNetwork. */
export async function nodeSharing(relay: Relay, cluster: NodeSharingCluster): Promise<NodeSharing> {
  if (!relay.workload.hostNetwork) return { notes: [], isConflict: false };
  const conflicts = nodeConflicts(relay, cluster.relaysOnHostNetwork());
  const standard = await cluster.podSecurity(relay.metadata.namespace);
  const security =
    standard === 'baseline' || standard === 'restricted' ? [securityNote(relay, standard)] : [];
  return {
    notes: [...security, ...conflicts.map(({ message }) => message)],
    isConflict: conflicts.some(({ isCertain }) => isCertain),
  };
}

function securityNote({ metadata: { namespace } }: Relay, standard: string): string {
  return `spec.workload.hostNetwork: is not allowed in namespace "${namespace}", which enforces Pod Security ${standard}: use a namespace that enforces privileged, or do without hostNetwork`;
}

/** Whether `object` requests hostNetwork. Its spec need not be valid. */
export function isOnHostNetwork({ spec }: RelayObject): boolean {
  return (
    (spec as { workload?: { hostNetwork?: unknown } | null } | undefined)?.workload?.hostNetwork === true
  );
}
