import type { KubeObject, ObjectKey } from '../../kube/object.ts';
import type { ObjectChange, PackedObject } from '../../kube/packed-object.ts';
import { sameJson } from '../../lib/same-json.ts';

/** The keys of the object before and after the change, each once. */
export function keysOf({ now, before }: ObjectChange<KubeObject>): ObjectKey[] {
  return [...new Set([now, before].flatMap((packed) => packed?.key ?? []))];
}

/** The groups of the object before and after the change, each once. */
export function groupsOf({ now, before }: ObjectChange<KubeObject>): ObjectKey[] {
  return [...new Set([now, before].flatMap((packed) => packed?.group ?? []))];
}

/** Whether nothing but the status or the metadata of an object changed. */
export function isSameGeneration({ now, before }: ObjectChange<KubeObject>): boolean {
  if (now === undefined || before === undefined || now.uid !== before.uid) return false;
  return now.object().metadata.generation === before.object().metadata.generation;
}

/** Whether nothing changed of what is kept of an object. */
export function isSame({ now, before }: ObjectChange<KubeObject>): boolean {
  if (now === undefined || before === undefined || now.uid !== before.uid) return false;
  return sameJson(versionless(now), versionless(before));
}

function versionless(packed: PackedObject<KubeObject>): KubeObject {
  const { metadata, ...object } = packed.object();
  return { ...object, metadata: { ...metadata, resourceVersion: '' } };
}
