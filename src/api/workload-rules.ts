import type { Problem } from '../lib/problem.ts';
import type { Relay } from './relay.ts';

/** What of the workload of `relay` has no effect. */
export function workloadWarnings(relay: Relay): Problem[] {
  return budgetWarnings(relay);
}

/** Whether `relay` has more than one Pod at a time, so that one may be away while others serve. */
export function hasSpares({ replicas }: Relay): boolean {
  return replicas > 1;
}

function budgetWarnings(relay: Relay): Problem[] {
  if (relay.podDisruptionBudget === undefined || hasSpares(relay)) return [];
  return [
    {
      path: ['spec', 'podDisruptionBudget'],
      what: 'has no effect with fewer than two replicas: the one Pod could never be moved',
      remedy: 'set replicas to 2 or more, or remove it',
    },
  ];
}
