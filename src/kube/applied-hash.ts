import { hash as digest } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { KubeObject } from './object.ts';

// The annotation by which an object carries the hash of what was last applied to it. Comparing hashes finds fields that are
// no longer wanted, which comparing fields cannot find. The version label is not part of it: a new version of the operator
// would otherwise write every object at its start. The label is updated with the next real change.

const appliedHashAnnotation = 'realm-operator.dev/applied-hash';
/** The way to that annotation, as in `Difference.steps`. */
export const appliedHashSteps = ['.metadata', '.annotations', `.${appliedHashAnnotation}`];
const versionLabel = 'app.kubernetes.io/version';

/** The hash of `identity`: what is wanted of an object, as `ApplyRules.identity` returns it. */
export function appliedHash(identity: object): string {
  return digest('sha256', canonicalJson(identity)).slice(0, 32);
}

/** Whether `hash` is the hash of what was last applied to `observed`. */
export function hasAppliedHash(observed: KubeObject, hash: string): boolean {
  return observed.metadata.annotations?.[appliedHashAnnotation] === hash;
}

/** `desired` with its hash and, if it replaces an existing object, with the uid of that object. */
export function withAppliedHash(desired: KubeObject, hash: string, uid?: string): KubeObject {
  const annotations = { ...desired.metadata.annotations, [appliedHashAnnotation]: hash };
  return {
    ...desired,
    metadata: { ...desired.metadata, annotations, ...(uid === undefined ? {} : { uid }) },
  };
}

/** `object` without the label that records which version of the operator wrote it. */
export function withoutVersion(object: KubeObject): KubeObject {
  const { labels, ...metadata } = object.metadata;
  if (labels === undefined) return object;
  const { [versionLabel]: _version, ...others } = labels;
  return { ...object, metadata: { ...metadata, labels: others } };
}

/** Whether `object` has the hash of anything that was applied to it. */
export function hasHash({ metadata: { annotations = {} } }: KubeObject): boolean {
  return annotations[appliedHashAnnotation] !== undefined;
}
