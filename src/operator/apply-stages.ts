import type { Relay } from '../api/relay.ts';
import { RefusedError, ResourceConflictError } from '../kube/apply-errors.ts';
import type { KubeObject } from '../kube/object.ts';
import type { ApplyContext, ApplyResult, Observed, WantedObject } from './apply-context.ts';
import { conflictVerdict, failed, joined, refusedVerdict, terminatingVerdict } from './apply-failures.ts';
import { deleteAutoscaler } from './prune.ts';

// The order in which the objects of a relay are applied: the ConfigMap, then what restricts the Pods, then the Pods, then
// what goes with them, of which one that is refused does not stop the others. The Service is applied beside the Pods, since
// it depends on nothing but the configuration.

type StageName = 'config' | 'policy' | 'pods' | 'companions' | 'service';

function stageOf({ object: { kind } }: WantedObject): StageName {
  if (kind === 'ConfigMap') return 'config';
  if (kind === 'NetworkPolicy') return 'policy';
  if (kind === 'Service') return 'service';
  return kind === 'Deployment' || kind === 'DaemonSet' ? 'pods' : 'companions';
}

/** What a stage works with: `configured` is the relay once its ConfigMap is applied, undefined before. */
type StageContext = ApplyContext & { readonly relay: Relay; readonly configured: Relay | undefined };

/**
 * Applies `wanted`.
 *
 * @returns the result that ended it early; undefined if all are as wanted. Never rejects.
 */
export async function applyInStages(
  relay: Relay,
  wanted: readonly WantedObject[],
  context: ApplyContext,
): Promise<ApplyResult | undefined> {
  const {
    config = [],
    policy = [],
    pods = [],
    companions = [],
    service = [],
  } = Object.groupBy(wanted, stageOf);
  const configuring = { ...context, relay, configured: undefined };
  const configured = { ...context, relay, configured: relay };
  const early = (await applyInTurn(config, configuring)) ?? (await applyInTurn(policy, configured));
  if (early !== undefined) return early;
  const applyPods = async (): Promise<ApplyResult | undefined> =>
    (await applyInTurn(pods, configured)) ?? (await applyEach(companions, configured));
  return both(...(await Promise.all([applyPods(), applyInTurn(service, configured)])));
}

function both(first: ApplyResult | undefined, second: ApplyResult | undefined): ApplyResult | undefined {
  return first !== undefined && second !== undefined ? joined(first, second) : (first ?? second);
}

/** Applies all, also after a failure. */
async function applyEach(
  wanted: readonly WantedObject[],
  context: StageContext,
): Promise<ApplyResult | undefined> {
  let result: ApplyResult | undefined;
  for (const one of wanted) result = both(result, await applyOne(one, context));
  return result;
}

async function applyInTurn(
  wanted: readonly WantedObject[],
  context: StageContext,
): Promise<ApplyResult | undefined> {
  for (const one of wanted) {
    const end = await applyOne(one, context);
    if (end !== undefined) return end;
  }
  return undefined;
}

/** Returns the result that ends its stage; undefined if the object is as wanted. */
async function applyOne(
  { object, observed }: WantedObject,
  { cluster, onWritten, onContested, relay, configured }: StageContext,
): Promise<ApplyResult | undefined> {
  const wanted = object as KubeObject;
  try {
    if (wanted.kind === 'Deployment')
      await prepareReplicas(wanted, observed, { cluster, onWritten, onContested, relay });
    const applied = await cluster.apply(wanted, observed);
    if (applied.outcome === 'terminating') return { verdict: terminatingVerdict(applied.object, configured) };
    if (applied.rivalry !== undefined) onContested(applied.rivalry);
    if (['unchanged', 'contested'].includes(applied.outcome)) return undefined;
    cluster.recreations.written(applied.object, relay);
    onWritten(applied.outcome, applied.object);
    return undefined;
  } catch (error) {
    return failureResult(error, wanted, configured);
  }
}

/** An autoscaler that is no longer wanted goes before the operator sets the number of Pods again; one that is gets it as it is. */
async function prepareReplicas(
  deployment: KubeObject,
  observed: Observed,
  { relay, ...context }: Pick<StageContext, 'cluster' | 'onWritten' | 'onContested' | 'relay'>,
): Promise<void> {
  if (relay.autoscaling === undefined) await deleteAutoscaler(relay, context);
  else await context.cluster.keepReplicas(deployment, observed);
}

/** What an error of applying `wanted` comes to. */
function failureResult(error: unknown, wanted: KubeObject, configured: Relay | undefined): ApplyResult {
  if (error instanceof ResourceConflictError) return { verdict: conflictVerdict(error, wanted, configured) };
  if (!(error instanceof RefusedError)) return failed(error, configured);
  const verdict = refusedVerdict(error, wanted, configured);
  // Which IP families a cluster has does not change from one try to the next, so no backoff.
  return verdict.reason === 'FamilyUnavailable' ? { verdict } : { verdict, error };
}
