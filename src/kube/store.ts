import { isLater, type KubeObject, type ObjectKey, objectKey } from './object.ts';
import { PackedObject } from './packed-object.ts';

type Change<T extends KubeObject> = {
  readonly now: PackedObject<T> | undefined;
  readonly before: PackedObject<T> | undefined;
};

/** Told of an object that came, changed or went; exactly one of the two is absent where it came or went. */
export type StoreListener<T extends KubeObject> = (change: Change<T>) => void;

/** How many objects that went are remembered, so that a late answer does not bring one back. */
const maxGone = 4_096;
/** How many objects are kept unpacked: a reconcile looks at its own several times, and few run at a time. More of them would grow old. */
const maxUnpacked = 4;

const none: readonly never[] = [];

/**
 * The objects of one kind as last seen, by key and by the group that they belong to.
 *
 * Informers fill it; several may share one, each with its own namespace. What we wrote ourselves is put in when the API
 * server answers (`put`), so that the next look sees it, and the watch's echo of it is no news. The objects
 * are shared: nobody changes them.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<ObjectKey, PackedObject<T>>();
  readonly #groups = new Map<ObjectKey, readonly PackedObject<T>[]>();
  readonly #groupOf: (object: T) => ObjectKey | undefined;
  readonly #listeners: StoreListener<T>[] = [];
  readonly #gone = new Set<string>();
  /** Those that were looked at last, in a ring. */
  readonly #unpacked: { readonly packed: PackedObject<T>; readonly object: T }[] = [];
  #nextUnpacked = 0;
  /** What watches reported of objects while we write them. */
  readonly #reported = new Map<ObjectKey, Change<T>[]>();

  /** @param groupOf  the name of the group of an object, if it belongs to one. */
  constructor(groupOf: (object: T) => ObjectKey | undefined = () => undefined) {
    this.#groupOf = groupOf;
  }

  /** Calls `listener` at every change that others made, after it is in the store. */
  subscribe(listener: StoreListener<T>): void {
    this.#listeners.push(listener);
  }

  /** The object at `key`. */
  get(key: ObjectKey): T | undefined {
    const packed = this.#objects.get(key);
    return packed && this.#unpack(packed);
  }

  /** The objects of this group, in no particular order. */
  group(name: ObjectKey): T[] {
    return this.packedGroup(name).map((packed) => this.#unpack(packed));
  }

  /** The same as they are kept: each is another one once it has changed. */
  packedGroup(name: ObjectKey): readonly PackedObject<T>[] {
    return this.#groups.get(name) ?? none;
  }

  /** Every object, in no particular order. */
  all(): Iterable<PackedObject<T>> {
    return this.#objects.values();
  }

  /** How many objects there are. */
  get size(): number {
    return this.#objects.size;
  }

  /**
   * Takes in the API server's answer to our own write. Nobody is told, so the caller must have seen to it that the answer
   * holds no change of others that matters. What is older than we know is dropped.
   */
  put(object: T): void {
    if (this.#gone.has(object.metadata.uid ?? '') || this.#knows(object)) return;
    const packed = this.pack(object);
    this.#set(packed);
    this.#keepUnpacked(packed, object);
  }

  /**
   * Runs `write`, our own write of the object at `key`, and takes in its answer as `put` does. A watch often reports the
   * write before its answer comes: what is reported meanwhile is told after that, but for what is the answer itself.
   *
   * @returns the answer.
   * @throws what `write` does.
   */
  async answered(key: ObjectKey, write: () => Promise<T>): Promise<T> {
    const reported: Change<T>[] = [];
    this.#reported.set(key, reported);
    let answer: T | undefined;
    try {
      answer = await write();
      this.put(answer);
      return answer;
    } finally {
      this.#reported.delete(key);
      const own = answer?.metadata.resourceVersion;
      for (const change of reported) if (change.now?.resourceVersion !== own) this.#notify(change);
    }
  }

  /** `object` as it is kept; `text` is its JSON, where that is at hand. */
  pack(object: T, text?: string): PackedObject<T> {
    return new PackedObject(object, this.#groupOf(object), text);
  }

  /** Takes in an object that a watch reported. */
  set(packed: PackedObject<T>): void {
    if (!this.#isKnown(packed)) this.#report(packed);
  }

  /** Takes in that an object is gone, which last was as `packed`. */
  remove(packed: PackedObject<T>): void {
    const { key, uid = '' } = packed;
    this.#gone.add(uid);
    const [oldest] = this.#gone;
    if (this.#gone.size > maxGone && oldest !== undefined) this.#gone.delete(oldest);
    const known = this.#objects.get(key);
    if (known !== undefined && known.uid !== packed.uid) return; // already its successor
    this.#delete(key);
    this.#notify({ now: undefined, before: packed });
  }

  /**
   * Takes in a complete list: what is not in it and not later than it is gone.
   *
   * @param objects          each packed as soon as it was read, so that a long list is never there at its full size.
   * @param resourceVersion  of the list.
   * @param namespace        which the list is of; all namespaces without one.
   */
  replace(objects: readonly PackedObject<T>[], resourceVersion: string, namespace?: string): void {
    const listed = new Set(objects.map(({ key }) => key));
    for (const [key, packed] of this.#objects) {
      if (listed.has(key) || isLater(packed.resourceVersion, resourceVersion)) continue;
      if (namespace === undefined || key.startsWith(`${namespace}/`)) this.remove(packed);
    }
    for (const packed of objects) if (!this.#isKnown(packed)) this.#report(packed);
  }

  #report(packed: PackedObject<T>): void {
    const change = { now: packed, before: this.#set(packed) };
    const reported = this.#reported.get(packed.key);
    if (reported === undefined) this.#notify(change);
    else reported.push(change);
  }

  #knows(object: T): boolean {
    const { uid, resourceVersion } = object.metadata;
    return this.#isKnown({ key: objectKey(object), uid, resourceVersion });
  }

  #isKnown({ key, uid, resourceVersion }: Pick<PackedObject<T>, 'key' | 'uid' | 'resourceVersion'>): boolean {
    const known = this.#objects.get(key);
    return known?.uid === uid && !isLater(resourceVersion, known?.resourceVersion);
  }

  #set(packed: PackedObject<T>): PackedObject<T> | undefined {
    const { key, group } = packed;
    const before = this.#delete(key);
    this.#objects.set(key, packed);
    if (group !== undefined) this.#groups.set(group, [...(this.#groups.get(group) ?? []), packed]);
    return before;
  }

  #delete(key: ObjectKey): PackedObject<T> | undefined {
    const packed = this.#objects.get(key);
    if (packed === undefined) return undefined;
    this.#objects.delete(key);
    if (packed.group !== undefined) this.#leave(packed.group, packed);
    return packed;
  }

  #leave(group: ObjectKey, packed: PackedObject<T>): void {
    const others = (this.#groups.get(group) ?? []).filter((other) => other !== packed);
    if (others.length > 0) this.#groups.set(group, others);
    else this.#groups.delete(group);
  }

  #unpack(packed: PackedObject<T>): T {
    const known = this.#unpacked.find((one) => one.packed === packed);
    return known === undefined ? this.#keepUnpacked(packed, packed.object()) : known.object;
  }

  #keepUnpacked(packed: PackedObject<T>, object: T): T {
    this.#unpacked[this.#nextUnpacked] = { packed, object };
    this.#nextUnpacked = (this.#nextUnpacked + 1) % maxUnpacked;
    return object;
  }

  #notify(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}
