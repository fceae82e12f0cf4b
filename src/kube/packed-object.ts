import { type KubeObject, type ObjectKey, objectKey } from './object.ts';

/**
 * An object as a store keeps it: what tells which one it is, and all the rest as text. Thousands of objects are smaller as
 * text, and cost the garbage collector next to nothing, since there is nothing in them to follow.
 */
export class PackedObject<T extends KubeObject> {
  readonly key: ObjectKey;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  /** The group that it belongs to, where it belongs to one: most often the key of its owner. */
  readonly group: ObjectKey | undefined;
  readonly #text: string;

  /** @param text  of `object`, where it is at hand. */
  constructor(object: T, group: ObjectKey | undefined, text?: string) {
    this.key = objectKey(object);
    this.uid = object.metadata.uid;
    this.resourceVersion = object.metadata.resourceVersion;
    this.group = group;
    this.#text = text ?? JSON.stringify(object);
  }

  /** Reads the object anew at each call. */
  object(): T {
    return JSON.parse(this.#text) as T;
  }
}
