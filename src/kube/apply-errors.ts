import { RealmError } from '../lib/errors.ts';
import { isLasting, KubeError } from './kube-error.ts';
import type { KubeObject } from './object.ts';

/** An object of the wanted kind and name exists and belongs to someone else. It was not touched. */
export class ResourceConflictError extends RealmError {
  readonly code = 'REALM_RESOURCE_CONFLICT';
  readonly kind: string;
  readonly objectName: string;

  constructor({ kind, metadata }: KubeObject) {
    super(`a ${kind} "${metadata.name}" exists that does not belong to this object`);
    this.kind = kind;
    this.objectName = metadata.name;
  }
}

/** The API server rejects the object as it is wanted: applying the same object again will not help. */
export class RefusedError extends RealmError {
  readonly code = 'REALM_APPLY_REFUSED';
  readonly kind: string;
  readonly objectName: string;
  /** The server's message. */
  readonly refusal: string;
  /** The fields that the server names, if any, e.g. `spec.ipFamilies[0]`. */
  readonly fields: readonly string[];

  constructor({ kind, metadata }: KubeObject, cause: KubeError) {
    super(`the API server rejects ${kind} "${metadata.name}"`, { cause });
    this.kind = kind;
    this.objectName = metadata.name;
    this.refusal = cause.message;
    this.fields = cause.causes.flatMap(({ field }) => field ?? []);
  }
}

/** What the API server was requested to do with an object. */
export type WriteAction = 'apply' | 'annotate' | 'delete';

/**
 * The API server did not write the object, for no fault of the object: it fails repeatedly, does not answer, or someone's
 * policy, quota or webhook refuses it.
 */
export class ApplyFailedError extends RealmError {
  readonly code = 'REALM_APPLY_FAILED';
  readonly kind: string;
  readonly objectName: string;
  /** The server's message, or that there was no answer. */
  readonly failure: string;
  readonly action: WriteAction;

  constructor({ kind, metadata }: KubeObject, failure: string, cause: Error, action: WriteAction = 'apply') {
    super(`the API server could not ${action} ${kind} "${metadata.name}"`, { cause });
    this.action = action;
    this.kind = kind;
    this.objectName = metadata.name;
    this.failure = failure;
  }
}

/** `error` of doing `action` to `object`: as an ApplyFailedError if it is a refusal that lasts, else as it is. */
export function writeError(error: unknown, action: WriteAction, object: KubeObject): unknown {
  if (!(error instanceof KubeError) || !isLasting(error)) return error;
  return new ApplyFailedError(object, error.message, error, action);
}
