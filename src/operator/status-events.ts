import type { Condition } from '../api/schema/realm-relay.ts';
import type { EventContent } from '../kube/events.ts';

/**
 * What happened between two statuses: nothing where no condition changed what it says. Pure.
 *
 * @param previous  the conditions before; none at the first reconcile.
 */
export function statusEvents(previous: readonly Condition[], next: readonly Condition[]): EventContent[] {
  return next.flatMap((condition) => {
    const before = previous.find(({ type }) => type === condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) return [];
    return event(condition) ?? [];
  });
}

/** Of what changed, only what a user can use: what is wrong, and that all is well. */
function event({ type, status, reason, message }: Condition): EventContent | undefined {
  if (type === 'Stalled') return { type: 'Warning', reason, action: 'Reconcile', note: message };
  if (reason === 'HostPortConflict') return { type: 'Warning', reason, action: 'Reconcile', note: message };
  if (type === 'Programmed' && reason === 'Paused')
    return { type: 'Normal', reason, action: 'Reconcile', note: message };
  if (type === 'Ready' && status === 'True')
    return { type: 'Normal', reason: 'Ready', action: 'Reconcile', note: message };
  return undefined;
}
