import type { Condition } from '../api/schema/realm-relay.ts';
import type { EventContent } from '../kube/events.ts';

/**
 * The events for the difference between two statuses; none if no condition changed its status or reason. Pure.
 *
 * @param previous  the conditions before; empty at the first reconcile.
 */
export function statusEvents(previous: readonly Condition[], next: readonly Condition[]): EventContent[] {
  return next.flatMap((condition) => {
    const before = previous.find(({ type }) => type === condition.type);
    if (before?.status === condition.status && before.reason === condition.reason) return [];
    return event(condition) ?? [];
  });
}

/** Only changes that are useful to users: that something is wrong, and that the relay is ready. */
function event({ type, status, reason, message }: Condition): EventContent | undefined {
  if (type === 'Stalled') return { type: 'Warning', reason, action: 'Reconcile', note: message };
  if (type === 'Programmed' && reason === 'ApplyFailed')
    return { type: 'Warning', reason, action: 'Apply', note: message };
  if (reason === 'HostPortConflict') return { type: 'Warning', reason, action: 'Reconcile', note: message };
  if (type === 'Programmed' && reason === 'Paused')
    return { type: 'Normal', reason, action: 'Reconcile', note: message };
  if (type === 'Ready' && status === 'True')
    return { type: 'Normal', reason: 'Ready', action: 'Reconcile', note: message };
  return undefined;
}
