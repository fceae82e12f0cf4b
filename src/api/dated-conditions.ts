import { cutToBytes } from '../lib/plain-text.ts';
import type { Condition } from './schema/realm-relay.ts';

/** A condition before it gets its times. */
export type Finding = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** What conditions are dated by. */
export type Dating = {
  readonly previous: readonly Condition[];
  /** `metadata.generation` of the reconciled object. */
  readonly generation: number;
  /** ISO 8601, seconds. */
  readonly now: string;
};

const maxMessageBytes = 4_096;

/** `findings` as conditions, sorted by type. `lastTransitionTime` changes only with the status of its condition. Pure. */
export function datedConditions(findings: readonly Finding[], dating: Dating): Condition[] {
  return findings.map((finding) => dated(finding, dating)).toSorted((a, b) => (a.type < b.type ? -1 : 1));
}

/** `date` as conditions state it: ISO 8601, whole seconds. */
export function conditionTime(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

function dated({ message, ...finding }: Finding, { previous, generation, now }: Dating): Condition {
  const before = previous.find(({ type }) => type === finding.type);
  return {
    ...finding,
    message: cutToBytes(message, maxMessageBytes),
    observedGeneration: generation,
    lastTransitionTime: before?.status === finding.status ? before.lastTransitionTime : now,
  };
}
