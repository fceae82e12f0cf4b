import type { Relay } from '../api/relay.ts';
import type { ApplyCluster } from './apply-context.ts';
import type { Verdict } from './verdict.ts';
import type { WantedObjects } from './wanted-objects.ts';
import { watchText } from './watches.ts';

/**
 * The verdict once everything is applied: `success`, unless changes by others go unnoticed, since the operator cannot watch
 * objects of one of the kinds.
 */
export function appliedVerdict(
  success: Verdict,
  relay: Relay,
  { objects, familyNote }: WantedObjects,
  cluster: Pick<ApplyCluster, 'watchProblemsOf'>,
): Verdict {
  const kinds = objects.map(({ object }) => object.kind);
  const problems = cluster.watchProblemsOf(kinds, relay.metadata.namespace);
  if (problems.length === 0) return withWarning(success, familyNote);
  const message = `All objects are applied, but changes by others go unnoticed: ${problems.map(watchText).join('; ')}`;
  return { kind: 'pending', configured: relay, reason: 'WatchFailed', message };
}

function withWarning(verdict: Verdict, warning: string): Verdict {
  if (verdict.kind !== 'programmed' || warning === '') return verdict;
  return { ...verdict, warnings: [verdict.warnings, warning].filter((each) => each !== '').join('; ') };
}
