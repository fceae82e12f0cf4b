import { parseRealmRelay, type ParsedRelay } from '../api/parse.ts';
import type { Relay } from '../api/relay.ts';
import { onPlatform } from '../desired/platform.ts';
import { immutableFields } from '../desired/service.ts';
import type { Rivalry } from '../kube/rivals.ts';
import { problemText, type Problem } from '../lib/problem.ts';
import { appliedVerdict } from './applied-verdict.ts';
import type { ApplyContext, ApplyResult } from './apply-context.ts';
import { failed, withError, withRivalries } from './apply-failures.ts';
import { applyInStages } from './apply-stages.ts';
import type { RelayObject } from './kinds.ts';
import { nodeSharing } from './node-sharing.ts';
import { ownerOf } from './owners.ts';
import { prune } from './prune.ts';
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
  const rivalries: Rivalry[] = [];
  const onContested = (rivalry: Rivalry): void => {
    rivalries.push(rivalry);
    context.onContested(rivalry);
  };
  try {
    const result = await applyWanted(relay, success, { ...context, onContested });
    return withRivalries(result, rivalries);
  } catch (error) {
    return failed(error, undefined); // before the ConfigMap was applied
  }
}

async function applyWanted(relay: Relay, success: Verdict, context: ApplyContext): Promise<ApplyResult> {
  const all = await wantedObjects(relay, context);
  const { objects, liveService } = all;
  const immutable = liveService === undefined ? [] : immutableFields(relay, liveService);
  const mayRecreate = immutable.length > 0 && relay.service.recreatePolicy === 'WhenNeeded';
  // A Service that has to be recreated is not wanted for now, so that it is pruned; its deletion causes the next reconcile.
  const wanted = mayRecreate ? objects.filter(({ object }) => object.kind !== 'Service') : objects;
  const failure = await applyInStages(relay, wanted, context);
  // The Service is applied last: if only it failed, everything else is as wanted.
  if (failure !== undefined && !isAboutService(failure.verdict)) return failure;
  const unchangeable = immutableVerdict(immutable, relay, mayRecreate);
  const verdict = unchangeable ?? appliedVerdict(success, relay, all, context.cluster);
  const result = failure ?? { verdict };
  try {
    await prune(relay, wanted, context);
    return (await recreateService(failure, relay, context)) ?? result;
  } catch (error) {
    return withError(result, error);
  }
}

function immutableVerdict(
  immutable: readonly Problem[],
  relay: Relay,
  mayRecreate: boolean,
): Verdict | undefined {
  if (immutable.length === 0) return undefined;
  const message = problemsText(immutable);
  return mayRecreate
    ? { kind: 'pending', configured: relay, reason: 'RecreatingService', message }
    : { kind: 'blocked', configured: relay, reason: 'ServiceImmutable', message };
}

function isAboutService(verdict: Verdict): boolean {
  return (
    verdict.kind === 'blocked' &&
    ['InvalidService', 'ServiceImmutable', 'FamilyUnavailable'].includes(verdict.reason)
  );
}

/**
 * Deletes a Service that the API server did not let change in place, if the user allows it. Only the server detects this
 * case: a load balancer class that is to be removed.
 *
 * @returns undefined if `failure` is of another kind, or the user does not allow it.
 */
async function recreateService(
  failure: ApplyResult | undefined,
  relay: Relay,
  { cluster, onWritten }: ApplyContext,
): Promise<ApplyResult | undefined> {
  const verdict = failure?.verdict;
  if (verdict?.kind !== 'blocked' || verdict.reason !== 'ServiceImmutable') return undefined;
  const live = cluster.ownedBy(ownerOf(relay)).find(({ kind }) => kind === 'Service');
  if (relay.service.recreatePolicy === 'Never' || live === undefined) return undefined;
  await cluster.delete(live);
  onWritten('deleted', live);
  return { verdict: { ...verdict, kind: 'pending', reason: 'RecreatingService' } };
}
