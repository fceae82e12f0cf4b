import type { Condition } from '../api/schema/realm-relay.ts';
import type { Platform } from '../desired/platform.ts';
import type { KubeEvent } from '../kube/events.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Rivalry } from '../kube/rivals.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ApplyCluster, ApplyContext, ApplyResult } from './apply-context.ts';

/** What events are about: an object, and the conditions that it had before; none if it is new. */
export type Subject = {
  readonly object: KubeObject;
  readonly conditions: readonly Pick<Condition, 'reason'>[];
};

/** What applying with events works with. */
export type EventContext = {
  readonly cluster: ApplyCluster & { recordEvent: (event: KubeEvent) => void };
  readonly platform: Platform;
  readonly log: Logger;
};

/** Runs `apply`, logs what it writes, and records one event for each outcome of a write. Rejects as `apply` does. */
export async function withEvents(
  subject: Subject,
  { cluster, platform, log }: EventContext,
  apply: (context: ApplyContext) => Promise<ApplyResult>,
): Promise<ApplyResult> {
  const written = new Map<string, string[]>();
  const onWritten = (outcome: string, { kind, metadata: { name } }: KubeObject): void => {
    log.info({ outcome, kind, name }, 'object written');
    written.set(outcome, [...(written.get(outcome) ?? []), `${kind} ${name}`]);
  };
  const onContested = (rivalry: Rivalry): void => {
    if (rivalry.isNews && !isKnownContest(subject)) logContest(rivalry, log);
  };
  const result = await apply({ cluster, platform, onWritten, onContested });
  for (const [outcome, names] of written)
    if (deservesEvent(outcome, subject)) cluster.recordEvent(writtenEvent(subject.object, outcome, names));
  return result;
}

function logContest({ object: { kind, metadata }, isRecreated, ...rivalry }: Rivalry, log: Logger): void {
  const { managers, fields, waitMs } = rivalry;
  const deed = isRecreated === true ? 'created' : 'undone';
  log.warn({ kind, name: metadata.name, managers, fields, waitMs }, `object is ${deed} again and again`);
}

/** Whether the status states already that an object is contested. */
function isKnownContest({ conditions }: Subject): boolean {
  return conditions.some(({ reason }) => reason === 'Contested');
}

/**
 * Whether a write deserves an event. Users expect that a new object gets what it needs, and see that in its status. It is
 * worth an event if an object is created later, because it was deleted or a field was added.
 */
function deservesEvent(outcome: string, { conditions }: Subject): boolean {
  return outcome !== 'created' || conditions.length > 0;
}

/** One event for all writes with this outcome in a reconcile, since thousands of relays produce many. */
function writtenEvent(regarding: KubeObject, outcome: string, names: readonly string[]): KubeEvent {
  const reason = `${outcome.slice(0, 1).toUpperCase()}${outcome.slice(1)}`;
  return { regarding, type: 'Normal', reason, action: 'Apply', note: `${reason} ${names.join(', ')}` };
}
