import { nodeConflicts } from '../api/node-conflicts.ts';
import type { Finding } from './findings.ts';
import type { PlacedRelay } from './manifests.ts';

/**
 * Warnings for relays on hostNetwork that are certain to conflict on a node, each pair reported at the later one. As in a
 * cluster, the relays stay valid: they may be meant for different clusters.
 */
export function nodeFindings(placed: readonly PlacedRelay[]): Finding[] {
  return placed.flatMap(({ relay, file, position }, index) => {
    const before = placed.slice(0, index).map((other) => other.relay);
    return nodeConflicts(relay, before)
      .filter(({ isCertain }) => isCertain)
      .map(({ what, remedy }) => {
        const problem = { path: ['spec', 'workload', 'hostNetwork'], what, remedy };
        return { severity: 'warning', file, ...position, problem } as const;
      });
  });
}
