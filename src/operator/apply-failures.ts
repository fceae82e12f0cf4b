import type { V1ServiceSpec } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { recreateRemedy } from '../desired/service-families.ts';
import { ApplyFailedError, type RefusedError, type ResourceConflictError } from '../kube/apply-errors.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Reason, Verdict } from './verdict.ts';

/** The verdict if an object of the wanted name belongs to someone else. Pure. */
export function conflictVerdict(
  { kind, objectName }: ResourceConflictError,
  configured: Relay | undefined,
): Verdict {
  const message = `${kind} "${objectName}" exists and does not belong to this RealmRelay: delete or rename it, or give the RealmRelay another name.`;
  return { kind: 'blocked', configured, reason: 'ResourceConflict', message };
}

/** The verdict if the API server rejects `wanted`. Pure. */
export function refusedVerdict(
  error: RefusedError,
  wanted: KubeObject,
  configured: Relay | undefined,
): Extract<Verdict, { kind: 'blocked' }> {
  const { kind, objectName, refusal } = error;
  const message = `The API server rejects ${kind} "${objectName}": ${refusal}`;
  const why = kind === 'Service' ? serviceRefusal(error, wanted) : undefined;
  return { kind: 'blocked', configured, ...(why ?? { reason: reasonOf(kind), message }) };
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

/** The verdict if the API server may accept the object later. Pure. */
export function failedVerdict(error: ApplyFailedError | KubeError, configured: Relay | undefined): Verdict {
  const message =
    error instanceof ApplyFailedError
      ? `The API server could not apply ${error.kind} "${error.objectName}": ${error.failure}; the operator retries.`
      : error.message;
  return { kind: 'pending', configured, reason: 'ApplyFailed', message };
}

/** The verdict if an object of the wanted name is still being deleted. Pure. */
export function terminatingVerdict({ kind, metadata }: KubeObject, configured: Relay | undefined): Verdict {
  const message = `${kind} "${metadata.name}" is still being deleted; it is created again afterwards.`;
  return { kind: 'pending', configured, reason: 'Terminating', message };
}
