import type { Relay } from '../api/relay.ts';
import { immutableFields, type ObservedService } from '../desired/service.ts';
import type { KubeObject } from '../kube/object.ts';
import { problemText } from '../lib/problem.ts';
import type { ApplyContext, ApplyResult } from './apply-context.ts';
import { serviceOf } from './kinds.ts';
import { ownerOf } from './owners.ts';
import { deleteObject } from './prune.ts';
import type { Verdict } from './verdict.ts';

/** The part of `live` that decides what it can become; undefined if it is no Service that has its families. */
export function observedService(live: KubeObject | undefined): ObservedService | undefined {
  const { ipFamilies, ipFamilyPolicy, ...spec } = serviceOf(live === undefined ? [] : [live])?.spec ?? {};
  if (ipFamilies === undefined || ipFamilyPolicy === undefined) return undefined;
  return { ...spec, ipFamilies, ipFamilyPolicy } as ObservedService;
}

/** What follows from wanted fields that the live Service cannot get. */
export type Recreation = {
  /** Whether it is to be deleted, so that it is created again. */
  readonly isDue: boolean;
  /** The verdict, unless it is that the Service is contested. */
  readonly verdict: Verdict | undefined;
};

/**
 * What follows for `live`, the Service of `relay`: whether it is to be deleted now, since the user allows that, and it was not
 * created again and again without getting what is wanted.
 */
export async function serviceRecreation(
  relay: Relay,
  live: KubeObject | undefined,
  { cluster, onContested }: Pick<ApplyContext, 'cluster' | 'onContested'>,
): Promise<Recreation> {
  const observed = observedService(live);
  const problems = observed === undefined ? [] : immutableFields(relay, observed);
  if (live === undefined || problems.length === 0) return { isDue: false, verdict: undefined };
  const message = problems.map(problemText).join('; ');
  if (relay.service.recreatePolicy === 'Never') {
    const verdict = { kind: 'blocked', configured: relay, reason: 'ServiceImmutable', message } as const;
    return { isDue: false, verdict };
  }
  const fields = problems.map(({ path }) => path.join('.'));
  const rivalry = await cluster.recreations.found(live, relay, fields);
  if (rivalry !== undefined) {
    onContested(rivalry);
    return { isDue: rivalry.waitMs === 0, verdict: undefined };
  }
  const verdict = { kind: 'pending', configured: relay, reason: 'RecreatingService', message } as const;
  return { isDue: true, verdict };
}

/**
 * Deletes a Service that the API server did not let change in place, if the user allows it. Only the server detects this
 * case: a load balancer class that is to be removed.
 *
 * @returns undefined if the verdict is another one, the user does not allow it, or it has to wait.
 */
export async function recreateRefused(
  { verdict }: ApplyResult,
  relay: Relay,
  context: ApplyContext,
): Promise<ApplyResult | undefined> {
  if (verdict.kind !== 'blocked' || verdict.reason !== 'ServiceImmutable') return undefined;
  const live = ownService(relay, context);
  if (relay.service.recreatePolicy === 'Never' || live === undefined) return undefined;
  const isDeleted = await deleteObject(live, relay, context, ['spec.service.loadBalancerClass']);
  return isDeleted ? { verdict: { ...verdict, kind: 'pending', reason: 'RecreatingService' } } : undefined;
}

/** The Service that `relay` owns. */
export function ownService(relay: Relay, { cluster }: Pick<ApplyContext, 'cluster'>): KubeObject | undefined {
  return cluster.ownedBy(ownerOf(relay)).find(({ kind }) => kind === 'Service');
}
