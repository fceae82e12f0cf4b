import { EchoFilter } from './echo-filter.ts';
import { isLater, type KubeObject, type ObjectKey, objectKey } from './object.ts';
import { type ObjectChange, PackedObject } from './packed-object.ts';
import { ParsedObjects } from './parsed-objects.ts';

/** Called after a change is in the store. */
export type StoreListener<T extends KubeObject> = (change: ObjectChange<T>) => void;

/** How many uids of deleted objects are remembered, so that a late answer does not bring one back. */
const maxDeleted = 4_096;

const none: readonly never[] = [];

/** What decides whether the store knows an object in this version or a later one. */
type ObjectVersion = {
  readonly key: ObjectKey;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
};

/**
 * An index of the objects of one kind as last seen, by key and by group.
 *
 * Informers fill it; several may share one store, each with its own namespace. The API server's answers to our own writes
 * go in as well (`put`, `writeThrough`), so that the next read sees them, and listeners are not notified of those.
 *
 * Guarantee: an object never goes back to an earlier version, and a deleted one does not come back. The objects it returns
 * are shared, so nobody may change them.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<ObjectKey, PackedObject<T>>();
  readonly #groups = new Map<ObjectKey, readonly PackedObject<T>[]>();
  readonly #groupOf: (object: T) => ObjectKey | undefined;
  readonly #listeners: StoreListener<T>[] = [];
  readonly #parsed = new ParsedObjects<T>();
  readonly #echoes = new EchoFilter<T>((change) => {
    this.#notify(change);
  });
  /** Uids, the oldest first. */
  readonly #deleted = new Set<string>();

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
    return packed && this.#parsed.get(packed);
  }

  /** The same as it is kept. An object that has changed is another `PackedObject`. */
  packed(key: ObjectKey): PackedObject<T> | undefined {
    return this.#objects.get(key);
  }

  /** The objects of this group, in no particular order. */
  group(name: ObjectKey): T[] {
    return this.packedGroup(name).map((packed) => this.#parsed.get(packed));
  }

  /** The objects of this group as they are kept. An object that has changed is another `PackedObject`. */
  packedGroup(name: ObjectKey): readonly PackedObject<T>[] {
    return this.#groups.get(name) ?? none;
  }

  /** The group of the object at `key`, if there is one and it belongs to one. */
  groupOf(key: ObjectKey): ObjectKey | undefined {
    return this.#objects.get(key)?.group;
  }

  /** Every object, in no particular order. */
  all(): Iterable<PackedObject<T>> {
    return this.#objects.values();
  }

  /** The number of objects. */
  get size(): number {
    return this.#objects.size;
  }

  /**
   * Takes in the API server's answer to our own write, unless the store knows a later version. Listeners are not notified,
   * so the caller must be sure that the answer contains no change of others that matters.
   *
   * @param text  the JSON of `object`, if the caller has it already.
   */
  put(object: T, text?: string): void {
    const { uid, resourceVersion } = object.metadata;
    if (this.#deleted.has(uid ?? '') || this.#knows({ key: objectKey(object), uid, resourceVersion })) return;
    const packed = this.pack(object, text);
    this.#set(packed);
    this.#parsed.add(packed, object);
  }

  /**
   * Runs `write`, our own write of the object at `key`, and takes in its answer as `put` does. What watches report of the
   * object meanwhile is notified afterwards, except the echo of this write; see {@link EchoFilter}.
   *
   * @returns the object that the API server answered with.
   * @throws what `write` throws.
   */
  writeThrough(
    key: ObjectKey,
    write: () => Promise<{ readonly object: T; readonly text?: string }>,
  ): Promise<T> {
    return this.#echoes.during(key, async () => {
      const { object, text } = await write();
      this.put(object, text);
      return object;
    });
  }

  /** `object` as the store keeps it; `text` is its JSON, if the caller has it already. */
  pack(object: T, text?: string): PackedObject<T> {
    return new PackedObject(object, this.#groupOf(object), text);
  }

  /** Takes in an object that a watch reported. */
  set(packed: PackedObject<T>): void {
    if (!this.#knows(packed)) this.#echoes.report(packed.key, { now: packed, before: this.#set(packed) });
  }

  /** Takes in that an object is deleted, which last was as `packed`. */
  remove(packed: PackedObject<T>): void {
    const { key, uid = '' } = packed;
    this.#deleted.add(uid);
    const [oldest] = this.#deleted;
    if (this.#deleted.size > maxDeleted && oldest !== undefined) this.#deleted.delete(oldest);
    const known = this.#objects.get(key);
    if (known !== undefined && known.uid !== packed.uid) return; // the store has its successor already
    this.#delete(key);
    this.#notify({ now: undefined, before: packed });
  }

  /**
   * Takes in a complete list: objects that are not in it and not later than it are deleted.
   *
   * @param objects          each packed as soon as it was read, so that a long list never exists at its full size.
   * @param resourceVersion  of the list.
   * @param namespace        that was listed; all namespaces without one.
   */
  replace(objects: readonly PackedObject<T>[], resourceVersion: string, namespace?: string): void {
    const listed = new Set(objects.map(({ key }) => key));
    for (const [key, packed] of this.#objects) {
      if (listed.has(key) || isLater(packed.resourceVersion, resourceVersion)) continue;
      if (namespace === undefined || key.startsWith(`${namespace}/`)) this.remove(packed);
    }
    for (const packed of objects) this.set(packed);
  }

  #knows({ key, uid, resourceVersion }: ObjectVersion): boolean {
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
    if (packed.group !== undefined) this.#leaveGroup(packed.group, packed);
    return packed;
  }

  #leaveGroup(group: ObjectKey, packed: PackedObject<T>): void {
    const others = (this.#groups.get(group) ?? []).filter((other) => other !== packed);
    if (others.length > 0) this.#groups.set(group, others);
    else this.#groups.delete(group);
  }

  #notify(change: ObjectChange<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}
