import type { V1ServiceSpec } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { recreateRemedy } from '../desired/service-families.ts';
import { ApplyFailedError, type RefusedError, type ResourceConflictError } from '../kube/apply-errors.ts';
import { FencedError } from '../kube/fence.ts';
import type { Rivalry } from '../kube/rivals.ts';
import { isLasting, KubeError } from '../kube/kube-error.ts';
import { controllerOf, type KubeObject } from '../kube/object.ts';
import { asError, errorCode, RealmError } from '../lib/errors.ts';
import { plainText } from '../lib/plain-text.ts';
import type { ApplyResult } from './apply-context.ts';
import { rivalryText } from './rivalry.ts';
import { configured, type Reason, type Verdict } from './verdict.ts';

/** Characters of the message of an error that is not the API server's. */
const maxErrorLength = 1_000;

/** The verdict if an object of the wanted name belongs to someone else than the owner of `wanted`. Pure. */
export function conflictVerdict(
  { kind, objectName }: ResourceConflictError,
  wanted: KubeObject,
  configured: Relay | undefined,
): Verdict {
  const owner = controllerOf(wanted)?.kind ?? 'owner';
  const message = `${kind} "${objectName}" exists and does not belong to this ${owner}: delete or rename it, or give the ${owner} another name.`;
  return { kind: 'blocked', configured, reason: 'ResourceConflict', message };
}

/** The verdict if the API server rejects `wanted`. Pure. */
export function refusedVerdict(
  error: RefusedError,
  wanted: KubeObject,
  configured: Relay | undefined,
): Extract<Verdict, { kind: 'blocked' }> {
  const { kind, objectName, refusal } = error;
  const message = `The API server rejects ${kind} "${objectName}": ${refusal}${immutableRemedy(error)}`;
  const why = kind === 'Service' ? serviceRefusal(error, wanted) : undefined;
  return { kind: 'blocked', configured, ...(why ?? { reason: reasonOf(kind), message }) };
}

/** What helps if a field of an object that exists cannot change, such as the data of a ConfigMap with `immutable: true`. */
function immutableRemedy({ kind, refusal }: RefusedError): string {
  if (!refusal.includes('field is immutable')) return '';
  return kind === 'Service' ? `: ${recreateRemedy}` : `: delete it, and the operator creates it again`;
}

type ServiceObject = KubeObject & { readonly spec?: V1ServiceSpec };

function reasonOf(kind: string): Reason['reason'] {
  if (kind === 'Service') return 'InvalidService';
  return kind === 'Deployment' || kind === 'DaemonSet' ? 'InvalidTemplate' : 'InvalidObject';
}

/** Immutable fields are detected before the Service is applied, so an error about families means that the cluster lacks them. */
function serviceRefusal(
  { objectName, refusal, fields }: RefusedError,
  { spec = {} }: ServiceObject,
): Reason | undefined {
  if (fields.includes('spec.loadBalancerClass')) {
    const message = `The API server rejects Service "${objectName}": ${refusal}: ${recreateRemedy}`;
    return { reason: 'ServiceImmutable', message };
  }
  if (!fields.some((field) => field.startsWith('spec.ipFamil'))) return undefined;
  const { ipFamilies = [], ipFamilyPolicy = '' } = spec;
  const families = ipFamilies.length === 0 ? '' : `[${ipFamilies.join(', ')}], `;
  const remedy =
    'listen on a family that it has (ipv6Only, listen.address), change spec.service.ipFamilies and ipFamilyPolicy, or set service.enabled: false if no Service is needed';
  const message = `The cluster does not have the IP families of Service "${objectName}" (${families}${ipFamilyPolicy}): ${refusal}: ${remedy}`;
  return { reason: 'FamilyUnavailable', message };
}

/** The result if `error`, of whatever kind, ended the work on the objects. Pure. */
export function failed(thrown: unknown, configured: Relay | undefined): ApplyResult {
  const error = asError(thrown);
  return {
    verdict: { kind: 'pending', configured, reason: 'ApplyFailed', message: failureText(error) },
    error,
  };
}

/** `result` with what `thrown`, of the same reconcile, comes to: it decides unless something worse is known. Pure. */
export function withError(result: ApplyResult, thrown: unknown): ApplyResult {
  const { verdict } = result;
  const more = failed(thrown, configured(verdict));
  const isWorse = 'message' in verdict && (verdict.kind !== 'pending' || verdict.reason === 'ApplyFailed');
  return isWorse ? joined(result, more) : more;
}

/** `result`, or if all is well but for objects that others undo again and again, that. Pure. */
export function withRivalries(result: ApplyResult, rivalries: readonly Rivalry[]): ApplyResult {
  const { verdict } = result;
  if (rivalries.length === 0) return result;
  const againMs = Math.min(...rivalries.map((rivalry) => rivalry.againMs));
  if (verdict.kind !== 'programmed') return { ...result, againMs };
  const message = rivalries.map(rivalryText).join(' ');
  return { verdict: { kind: 'blocked', configured: verdict.relay, reason: 'Contested', message }, againMs };
}

/**
 * Whether `error` is likely to be over at the next try: someone else's change came first, or the API server was busy, away or
 * restarting. Pure.
 */
export function isPassing(error: Error): boolean {
  if (error instanceof KubeError) return !isLasting(error);
  return !(error instanceof RealmError) || error instanceof FencedError;
}

/** The result of work of which both `result` and `more` were an end: the first one decides, the messages are of both. Pure. */
export function joined({ verdict, error }: ApplyResult, more: ApplyResult): ApplyResult {
  const texts = [verdict, more.verdict].flatMap((one) => ('message' in one ? one.message : []));
  const retried = error ?? more.error;
  return {
    verdict: 'message' in verdict ? { ...verdict, message: texts.join(' ') } : verdict,
    ...(retried === undefined ? {} : { error: retried }),
  };
}

function failureText(error: Error): string {
  if (error instanceof ApplyFailedError)
    return `The API server could not ${error.action} ${error.kind} "${error.objectName}": ${error.failure}; the operator retries.`;
  if (error instanceof KubeError) return error.message;
  return `The operator could not finish: ${plainText(errorText(error), maxErrorLength)}; it retries.`;
}

/** Errors of connections to several addresses have no message of their own, only a code. */
function errorText(error: Error): string {
  return error.message || errorCode(error) || error.name;
}

/** The verdict if an object of the wanted name is still being deleted. Pure. */
export function terminatingVerdict({ kind, metadata }: KubeObject, configured: Relay | undefined): Verdict {
  const message = `${kind} "${metadata.name}" is still being deleted; it is created again afterwards.`;
  return { kind: 'pending', configured, reason: 'Terminating', message };
}
