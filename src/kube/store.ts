import { controllerOf, isLater, type KubeObject, type ObjectKey, objectKey } from './object.ts';
import { SharedParts } from './shared-parts.ts';

type Change<T> = { readonly object: T | undefined; readonly previous: T | undefined };

/** Told of an object that came, changed or went; exactly one of the two is absent where it came or went. */
export type StoreListener<T> = (change: Change<T>) => void;

/** How many objects that went are remembered, so that a late answer does not bring one back. */
const mostGone = 4_096;

/**
 * The objects of one kind as last seen, by key and by the group that they belong to: the owner that controls them,
 * unless told otherwise.
 *
 * Informers fill it; several may share one, each with its own namespace. What we wrote ourselves is put in when the API
 * server answers (`put`), so that the next look sees it, and the watch's echo of it is no news. The objects
 * are shared: nobody changes them.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<ObjectKey, T>();
  readonly #groups = new Map<string, Set<ObjectKey>>();
  readonly #groupOf: (object: T) => string | undefined;
  readonly #listeners: StoreListener<T>[] = [];
  readonly #gone = new Set<string>();
  readonly #parts = new SharedParts();
  /** What watches reported of objects while we write them. */
  readonly #reported = new Map<ObjectKey, Change<T>[]>();

  /** @param groupOf  the name of the group of an object; the uid of its controller unless told. */
  constructor(groupOf: (object: T) => string | undefined = (object) => controllerOf(object)?.uid) {
    this.#groupOf = groupOf;
  }

  /** Calls `listener` at every change that others made, after it is in the store. */
  subscribe(listener: StoreListener<T>): void {
    this.#listeners.push(listener);
  }

  /** The object at `key`. */
  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  /** The objects of this group, in no particular order. */
  group(name: string): T[] {
    return [...(this.#groups.get(name) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** Every object, in no particular order. */
  all(): Iterable<T> {
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
    if (this.#gone.has(object.metadata.uid ?? '') || this.#isKnown(object)) return;
    this.#set(this.compact(object));
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
      for (const change of reported) if (change.object?.metadata.resourceVersion !== own) this.#tell(change);
    }
  }

  /** Lets `object` share with the others what it has in common with them. Nobody must change it from then on. */
  compact(object: T): T {
    this.#parts.share(object);
    return object;
  }

  /** Takes in an object that a watch reported. */
  set(object: T): void {
    if (!this.#isKnown(object)) this.#report(this.compact(object));
  }

  /** Takes in that `object`, as it last was, is gone. */
  remove(object: T): void {
    this.#bury(object);
    const previous = this.#objects.get(objectKey(object));
    if (previous !== undefined && previous.metadata.uid !== object.metadata.uid) return; // already its successor
    this.#delete(objectKey(object));
    this.#tell({ object: undefined, previous: object });
  }

  /**
   * Takes in a complete list: what is not in it and not later than it is gone.
   *
   * @param objects          after `compact`, each as soon as it was read, so that a long list is never there at its full size.
   * @param resourceVersion  of the list.
   * @param namespace        which the list is of; all namespaces without one.
   */
  replace(objects: readonly T[], resourceVersion: string, namespace?: string): void {
    const listed = new Set(objects.map(objectKey));
    for (const [key, object] of this.#objects) {
      if (listed.has(key) || isLater(object.metadata.resourceVersion, resourceVersion)) continue;
      if (namespace === undefined || object.metadata.namespace === namespace) this.remove(object);
    }
    for (const object of objects) if (!this.#isKnown(object)) this.#report(object);
  }

  #report(object: T): void {
    const change = { object, previous: this.#set(object) };
    const reported = this.#reported.get(objectKey(object));
    if (reported === undefined) this.#tell(change);
    else reported.push(change);
  }

  #isKnown(object: T): boolean {
    const known = this.#objects.get(objectKey(object))?.metadata;
    return (
      known?.uid === object.metadata.uid && !isLater(object.metadata.resourceVersion, known?.resourceVersion)
    );
  }

  #set(object: T): T | undefined {
    const key = objectKey(object);
    const previous = this.#delete(key);
    this.#objects.set(key, object);
    const group = this.#groupOf(object);
    if (group !== undefined) this.#groups.set(group, (this.#groups.get(group) ?? new Set()).add(key));
    return previous;
  }

  #delete(key: ObjectKey): T | undefined {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    const group = object === undefined ? '' : (this.#groupOf(object) ?? '');
    const keys = this.#groups.get(group);
    keys?.delete(key);
    if (keys?.size === 0) this.#groups.delete(group);
    return object;
  }

  #bury({ metadata: { uid = '' } }: T): void {
    this.#gone.add(uid);
    const [oldest] = this.#gone;
    if (this.#gone.size > mostGone && oldest !== undefined) this.#gone.delete(oldest);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) listener(change);
  }
}
