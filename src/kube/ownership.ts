import { controllerOf, type KubeObject } from './object.ts';

/** Whether `observed` belongs to the owner that `desired` names: the same object, not just one of its name. */
export function isOwnedBy(observed: KubeObject, desired: KubeObject): boolean {
  const owner = controllerOf(desired)?.uid;
  return owner !== undefined && controllerOf(observed)?.uid === owner;
}

/** Whether the owner of `observed` is that of `desired`, or was another object of the same kind and name before it. */
export function hasOwnerOfSameName(observed: KubeObject, desired: KubeObject): boolean {
  const [a, b] = [controllerOf(observed), controllerOf(desired)];
  return (
    a !== undefined && b !== undefined && a.kind === b.kind && a.name === b.name && group(a) === group(b)
  );
}

function group({ apiVersion }: { readonly apiVersion: string }): string {
  return apiVersion.split('/', 1)[0] ?? '';
}
