import { type KubeObject, type ObjectKey, objectKey } from './object.ts';

/**
 * An object as a store keeps it: its identity as fields, everything else as JSON text. Thousands of objects take less
 * memory as text and cost the garbage collector next to nothing, since it has no references to follow.
 */
export class PackedObject<T extends KubeObject> {
  readonly key: ObjectKey;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  /** The group that the object belongs to, if any: usually the key of its owner. */
  readonly group: ObjectKey | undefined;
  readonly #text: string;

  /** @param text  the JSON of `object`, if the caller has it already. */
  constructor(object: T, group: ObjectKey | undefined, text?: string) {
    this.key = objectKey(object);
    this.uid = object.metadata.uid;
    this.resourceVersion = object.metadata.resourceVersion;
    this.group = group;
    this.#text = text ?? JSON.stringify(object);
  }

  /** Parses the object; each call returns a new one. */
  object(): T {
    return JSON.parse(this.#text) as T;
  }
}

/** A change of one object: `before` is absent if it was created, `now` if it was deleted. */
export type ObjectChange<T extends KubeObject> = {
  readonly now: PackedObject<T> | undefined;
  readonly before: PackedObject<T> | undefined;
};
