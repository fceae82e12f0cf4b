import type { V1ServiceSpec } from '@kubernetes/client-node';
import type { Relay } from '../api/relay.ts';
import { recreateRemedy } from '../desired/service-families.ts';
import { ApplyFailedError, type RefusedError, type ResourceConflictError } from '../kube/apply-errors.ts';
import type { KubeError } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Reason, Verdict } from './verdict.ts';

/** What to say of an object whose name another one has. Pure. */
export function conflictVerdict(
  { kind, objectName }: ResourceConflictError,
  configured: Relay | undefined,
): Verdict {
  const message = `${kind} "${objectName}" exists and does not belong to this RealmRelay: delete or rename it, or give the RealmRelay another name.`;
  return { kind: 'blocked', configured, reason: 'ResourceConflict', message };
}

/** What to say of `wanted`, which the API server refuses. Pure. */
export function refusedVerdict(
  error: RefusedError,
  wanted: KubeObject,
  configured: Relay | undefined,
): Extract<Verdict, { kind: 'blocked' }> {
  const { kind, objectName, refusal } = error;
  const message = `The API server refuses ${kind} "${objectName}": ${refusal}`;
  const why = kind === 'Service' ? serviceRefusal(error, wanted) : undefined;
  return { kind: 'blocked', configured, ...(why ?? { reason: reasonOf(kind), message }) };
}

type ServiceObject = KubeObject & { readonly spec?: V1ServiceSpec };

function reasonOf(kind: string): Reason['reason'] {
  if (kind === 'Service') return 'InvalidService';
  return kind === 'Deployment' || kind === 'DaemonSet' ? 'InvalidTemplate' : 'InvalidObject';
}

/** Other changes that a live Service cannot take are found before it is applied; so it is the cluster that lacks families. */
function serviceRefusal(
  { objectName, refusal, fields }: RefusedError,
  { spec = {} }: ServiceObject,
): Reason | undefined {
  if (fields.includes('spec.loadBalancerClass')) {
    const message = `The API server refuses Service "${objectName}": ${refusal}: ${recreateRemedy}`;
    return { reason: 'ServiceImmutable', message };
  }
  if (!fields.some((field) => field.startsWith('spec.ipFamil'))) return undefined;
  const { ipFamilies = [], ipFamilyPolicy = '' } = spec;
  const families = ipFamilies.length === 0 ? '' : `[${ipFamilies.join(', ')}], `;
  const remedy =
    'listen on a family that it has (ipv6Only, listen.address), or change spec.service.ipFamilies and ipFamilyPolicy, or set service.enabled: false where no Service is needed';
  const message = `The cluster does not have the IP families of Service "${objectName}" (${families}${ipFamilyPolicy}): ${refusal}: ${remedy}`;
  return { reason: 'FamilyUnavailable', message };
}

/** What to say of an object that the API server may take at another time. Pure. */
export function failedVerdict(error: ApplyFailedError | KubeError, configured: Relay | undefined): Verdict {
  const message =
    error instanceof ApplyFailedError
      ? `The API server does not take ${error.kind} "${error.objectName}": ${error.failure}; it is tried again.`
      : error.message;
  return { kind: 'pending', configured, reason: 'ApplyFailed', message };
}

/** What to say of an object of our own name that is still being deleted. Pure. */
export function terminatingVerdict({ kind, metadata }: KubeObject, configured: Relay | undefined): Verdict {
  const message = `${kind} "${metadata.name}" is still being deleted; it is made anew after that.`;
  return { kind: 'pending', configured, reason: 'Terminating', message };
}
