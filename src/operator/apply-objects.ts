import { parseRealmRelay, type ParsedRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import { onPlatform } from '../desired/platform.ts';
import { kindAndKey } from '../kube/object.ts';
import type { Rivalry } from '../kube/rivals.ts';
import { problemText, type Problem } from '../lib/problem.ts';
import { appliedVerdict } from './applied-verdict.ts';
import type { ApplyContext, ApplyResult, WantedObject } from './apply-context.ts';
import { failed, withError, withRivalries } from './apply-failures.ts';
import { applyInStages } from './apply-stages.ts';
import type { RelayObject } from './kinds.ts';
import { nodeSharing } from './node-sharing.ts';
import { type OwnerId, ownerOf } from './owners.ts';
import { prune } from './prune.ts';
import { ownService, type Recreation, recreateRefused, serviceRecreation } from './service-recreation.ts';
import type { Verdict } from './verdict.ts';
import { wantedObjects } from './wanted-objects.ts';

/**
 * Applies the objects of the RealmRelay `object` up to the first that cannot be applied; if all can, deletes what it owns
 * and no longer wants. Touches nothing if the spec is not accepted, or is paused.
 *
 * @returns also what an error of any kind comes to. Never rejects, so that every error reaches the status.
 */
export async function applyObjects(object: RelayObject, context: ApplyContext): Promise<ApplyResult> {
  try {
    return await applySpec(object, context);
  } catch (error) {
    return failed(error, undefined);
  }
}

async function applySpec(object: RelayObject, context: ApplyContext): Promise<ApplyResult> {
  const parsed = parseRealmRelay(asWritten(object));
  const relay = parsed.relay && onPlatform(parsed.relay, context.platform);
  const rejection = rejected(parsed);
  if (relay === undefined || rejection !== undefined) return { verdict: rejection ?? unreadable };
  if (relay.paused) return { verdict: { kind: 'paused' } };
  const { notes, isConflict } = await nodeSharing(relay, context.cluster);
  const warnings = [...parsed.warnings.map(problemText), ...notes].join('; ');
  return programRelay(relay, { kind: 'programmed', relay, warnings, isNodeConflict: isConflict }, context);
}

/** What the user wrote and what identifies it; the schema has no field for what the API server and the operator add. */
function asWritten({ apiVersion, kind, metadata, spec }: RelayObject): object {
  const { name, namespace, uid } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid }, spec };
}

const unreadable: Verdict = { kind: 'rejected', reason: 'Invalid', message: 'The spec cannot be read.' };

function rejected({ problems, conflicts }: ParsedRelay): Verdict | undefined {
  if (problems.length > 0) return { kind: 'rejected', reason: 'Invalid', message: problemsText(problems) };
  if (conflicts.length === 0) return undefined;
  const message = conflicts.map((conflict) => conflict.message).join('; ');
  return { kind: 'rejected', reason: 'PortConflict', message };
}

function problemsText(problems: readonly Problem[]): string {
  return problems.map(problemText).join('; ');
}

/**
 * Applies the objects of `relay` up to the first that cannot be applied; if all can, deletes what its owner owns and no longer
 * wants. Never rejects, so that every error reaches the status.
 *
 * @param success  the verdict if every object can be applied.
 */
export async function programRelay(
  relay: Relay,
  success: Verdict,
  context: ApplyContext,
): Promise<ApplyResult> {
  return withContests(ownerOf(relay), relay, context, (applying) => applyWanted(relay, success, applying));
}

/**
 * Runs `apply`, and adds to its result what others undo again and again of it. Never rejects.
 *
 * @param wish  what `owner` wants; see `Recreations`.
 */
export async function withContests(
  owner: OwnerId,
  wish: object,
  context: ApplyContext,
  apply: (context: ApplyContext) => Promise<ApplyResult>,
): Promise<ApplyResult> {
  const rivalries = new Map<string, Rivalry>();
  const onContested = (rivalry: Rivalry): void => {
    rivalries.set(kindAndKey(rivalry.object), rivalry);
    context.onContested(rivalry);
  };
  try {
    const result = await apply({ ...context, onContested });
    for (const rivalry of context.cluster.recreations.settling(owner.uid, wish)) {
      const key = kindAndKey(rivalry.object);
      if (!rivalries.has(key)) rivalries.set(key, rivalry);
    }
    return withRivalries(result, [...rivalries.values()]);
  } catch (error) {
    return failed(error, undefined); // before the ConfigMap was applied
  }
}

async function applyWanted(relay: Relay, success: Verdict, context: ApplyContext): Promise<ApplyResult> {
  const all = await wantedObjects(relay, context);
  const { objects, liveService } = all;
  const before = await serviceRecreation(relay, liveService, context);
  const wanted = wantedNow(objects, before);
  const failure = await applyInStages(relay, wanted, context);
  // The Service is applied last: if only it failed, everything else is as wanted.
  if (failure !== undefined && !isAboutService(failure.verdict)) return failure;
  // What admission makes of a new Service is known once it is created.
  const isNew = liveService === undefined;
  const after = isNew ? await serviceRecreation(relay, ownService(relay, context), context) : before;
  const verdict = after.verdict ?? appliedVerdict(success, relay, all, context.cluster);
  const result = failure ?? { verdict };
  try {
    await prune(relay, wantedNow(wanted, after), context);
    return (await recreateRefused(result, relay, context)) ?? result;
  } catch (error) {
    return withError(result, error);
  }
}

/** A Service that has to be recreated is not wanted for now, so that it is pruned; its deletion causes the next reconcile. */
function wantedNow(objects: readonly WantedObject[], { isDue }: Recreation): readonly WantedObject[] {
  return isDue ? objects.filter(({ object }) => object.kind !== 'Service') : objects;
}

function isAboutService(verdict: Verdict): boolean {
  return (
    verdict.kind === 'blocked' &&
    ['InvalidService', 'ServiceImmutable', 'FamilyUnavailable'].includes(verdict.reason)
  );
}
