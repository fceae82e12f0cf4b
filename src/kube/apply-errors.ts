import { RealmError } from '../lib/errors.ts';
import type { KubeError } from './kube-error.ts';
import type { KubeObject } from './object.ts';

/** An object of the name that we need is there, and is not ours. It was not touched. */
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

/** The API server will not take the object as we want it: another try with the same object is of no use. */
export class RefusedError extends RealmError {
  readonly code = 'REALM_APPLY_REFUSED';
  readonly kind: string;
  readonly objectName: string;
  /** The server's own words. */
  readonly refusal: string;
  /** The fields that it complains of, where it tells, e.g. `spec.ipFamilies[0]`. */
  readonly fields: readonly string[];

  constructor({ kind, metadata }: KubeObject, cause: KubeError) {
    super(`the API server refuses ${kind} "${metadata.name}"`, { cause });
    this.kind = kind;
    this.objectName = metadata.name;
    this.refusal = cause.message;
    this.fields = cause.causes.flatMap(({ field }) => field ?? []);
  }
}

/** The API server did not take the object, and says nothing against it: it fails again and again, or does not answer. */
export class ApplyFailedError extends RealmError {
  readonly code = 'REALM_APPLY_FAILED';
  readonly kind: string;
  readonly objectName: string;
  /** The server's own words, or that there were none. */
  readonly failure: string;

  constructor({ kind, metadata }: KubeObject, failure: string, cause: Error) {
    super(`the API server did not take ${kind} "${metadata.name}"`, { cause });
    this.kind = kind;
    this.objectName = metadata.name;
    this.failure = failure;
  }
}
