import { type Dating, datedConditions, type Finding as UndatedCondition } from '../api/dated-conditions.ts';
import type { Condition } from '../api/schema/realm-relay.ts';
import type { Rollout } from './rollout.ts';
import type { Reason, Verdict } from './verdict.ts';

/** A condition before it gets its times, with a reason that docs/status.md lists. */
type Finding = UndatedCondition & Reason;

/**
 * The conditions of a RealmRelay, sorted by type.
 *
 * Accepted, Programmed and Ready are always present; Reconciling and Stalled only while they are true, as kstatus expects
 * (it reports an object as failed only if Stalled is true, and as current only if neither is and Ready is true).
 * Pure.
 */
export function conditions(verdict: Verdict, rollout: Rollout, dating: Dating): Condition[] {
  const ready = readiness(verdict, rollout);
  const findings = [accepted(verdict), programmed(verdict), ready, ...activity(verdict, rollout, ready)];
  return datedConditions(findings, dating);
}

function accepted(verdict: Verdict): Finding {
  if (verdict.kind === 'rejected') return finding('Accepted', 'False', verdict);
  const valid = 'The spec is valid.';
  if (verdict.kind !== 'programmed' || verdict.warnings === '')
    return finding('Accepted', 'True', { reason: 'Accepted', message: valid });
  const reason = verdict.isNodeConflict === true ? 'HostPortConflict' : 'Accepted';
  return finding('Accepted', 'True', { reason, message: `${valid} Warnings: ${verdict.warnings}` });
}

function programmed(verdict: Verdict): Finding {
  switch (verdict.kind) {
    case 'programmed':
      return finding('Programmed', 'True', { reason: 'Programmed', message: 'All objects are applied.' });
    case 'paused':
      return finding('Programmed', 'Unknown', {
        reason: 'Paused',
        message: 'spec.paused is true: nothing is applied until it is set to false.',
      });
    case 'rejected':
      return finding('Programmed', 'False', {
        reason: verdict.reason,
        message: 'The spec is not accepted; objects applied earlier are left unchanged.',
      });
    case 'blocked':
    case 'pending':
      return finding('Programmed', 'False', verdict);
  }
}

/** Ready: what runs is what the spec requests. A paused relay is as ready as its Pods. */
function readiness(verdict: Verdict, { state, reason, message }: Rollout): Finding {
  switch (verdict.kind) {
    case 'rejected':
    case 'blocked':
    case 'pending':
      return finding('Ready', 'False', verdict);
    case 'programmed':
    case 'paused':
      return finding('Ready', state === 'ready' ? 'True' : 'False', { reason, message });
  }
}

function activity(verdict: Verdict, { state }: Rollout, ready: Finding): Finding[] {
  const needsUser = verdict.kind === 'rejected' || verdict.kind === 'blocked';
  if (needsUser || (state === 'failed' && verdict.kind !== 'pending'))
    return [finding('Stalled', 'True', ready)];
  return ready.status === 'True' ? [] : [finding('Reconciling', 'True', ready)];
}

function finding(type: string, status: Finding['status'], { reason, message }: Reason): Finding {
  return { type, status, reason, message };
}
