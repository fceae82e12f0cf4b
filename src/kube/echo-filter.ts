import type { KubeObject, ObjectKey } from './object.ts';
import type { ObjectChange } from './packed-object.ts';

/**
 * Suppresses the echo of our own writes.
 *
 * A watch often reports a write before the API server has answered it. While an object is being written, its changes are
 * held back; when the write has ended, all of them are passed on except the one that is the write itself. So listeners hear
 * of every change that others made, and never of ours.
 */
export class EchoFilter<T extends KubeObject> {
  readonly #notify: (change: ObjectChange<T>) => void;
  /** Changes held back, by the object being written. */
  readonly #held = new Map<ObjectKey, ObjectChange<T>[]>();

  /** @param notify  receives the changes that pass. */
  constructor(notify: (change: ObjectChange<T>) => void) {
    this.#notify = notify;
  }

  /** Passes on `change` of the object at `key`, at once or when the write of that object has ended. */
  report(key: ObjectKey, change: ObjectChange<T>): void {
    const held = this.#held.get(key);
    if (held === undefined) this.#notify(change);
    else held.push(change);
  }

  /**
   * Runs `write`, our write of the object at `key`.
   *
   * @returns what `write` returns: the object as the API server answered it.
   * @throws what `write` throws; changes held back are passed on in that case, too.
   */
  async during(key: ObjectKey, write: () => Promise<T>): Promise<T> {
    const held: ObjectChange<T>[] = [];
    this.#held.set(key, held);
    let written: string | undefined;
    try {
      const answer = await write();
      written = answer.metadata.resourceVersion;
      return answer;
    } finally {
      this.#held.delete(key);
      for (const change of held) if (change.now?.resourceVersion !== written) this.#notify(change);
    }
  }
}
