import { isRecord, ownValue } from '../lib/record.ts';
import type { KubeObject } from './object.ts';

/** One entry of `metadata.managedFields`. */
export type ManagedFields = {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  /** ISO 8601. */
  readonly time?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
};

/** An object with the managers of its fields, which informers do not keep. */
export type ManagedObject = KubeObject & {
  readonly metadata: { readonly managedFields?: readonly ManagedFields[] };
};

/** Whether one of `managers` owns the field at `steps` of `object`, by applying it; see `Difference.steps`. */
export function isAppliedBy(
  { metadata: { managedFields = [] } }: ManagedObject,
  managers: readonly string[],
  steps: readonly string[],
): boolean {
  return managedFields.some(
    ({ manager = '', operation, fieldsV1 }) =>
      managers.includes(manager) && operation === 'Apply' && owns(fieldsV1, steps),
  );
}

/**
 * Who owns one of the fields at `paths` of `object`, other than by applying as one of `own`. If nobody does, because a field
 * was removed, who of the others wrote the object last. Empty if there is nobody else.
 *
 * @param paths  each as `Difference.steps`.
 */
export function otherManagers(
  { metadata: { managedFields = [] } }: ManagedObject,
  paths: readonly (readonly string[])[],
  own: readonly string[],
): readonly ManagedFields[] {
  const others = managedFields.filter(
    ({ manager = '', operation, subresource }) =>
      subresource !== 'status' && !(operation === 'Apply' && own.includes(manager)),
  );
  const owners = others.filter(({ fieldsV1 }) => paths.some((steps) => owns(fieldsV1, steps)));
  if (owners.length > 0) return owners;
  return others.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? 1 : -1)).slice(0, 1);
}

/**
 * Whether `fields` include the field at `steps`, or a field that contains it and is owned as a whole.
 *
 * Source: FieldsV1 in k8s.io/apimachinery/pkg/apis/meta/v1: `f:` a field, `k:` an entry by its keys, `v:` an entry by value.
 */
function owns(fields: unknown, steps: readonly string[]): boolean {
  const [step, ...rest] = steps;
  if (!isRecord(fields)) return false;
  const names = Object.keys(fields).filter((name) => name !== '.');
  if (step === undefined || names.length === 0) return true;
  const next = step.startsWith('.') ? `f:${step.slice(1)}` : names.find((name) => isEntry(name, step));
  const below = next === undefined ? undefined : ownValue(fields, next);
  return below !== undefined && owns(below, rest);
}

/** Whether `name`, such as `k:{"name":"relay"}`, is the entry of the step `[relay]`. */
function isEntry(name: string, step: string): boolean {
  if (name.startsWith('v:')) return `[${name.slice(2)}]` === step;
  if (!name.startsWith('k:')) return false;
  return `[${Object.values(JSON.parse(name.slice(2)) as object).join('/')}]` === step;
}

/** How many fields and managers are named to people. */
const maxNamed = 3;

/** `texts` as they are named to people: sorted, three at most. */
export function named(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted().slice(0, maxNamed);
}

/** `managers` for people: each as `"kubectl-edit"` or `"kube-controller-manager" (subresource scale)`. */
export function managerTexts(managers: readonly ManagedFields[]): string[] {
  return named(managers.map(managerText));
}

function managerText({ manager = '', subresource }: ManagedFields): string {
  return `"${manager}"${subresource === undefined ? '' : ` (subresource ${subresource})`}`;
}
