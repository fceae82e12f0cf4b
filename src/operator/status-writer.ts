import { hash } from 'node:crypto';
import { fieldManager } from '../kube/apply.ts';
import type { KubeClient } from '../kube/client.ts';
import { type Contest, Contests } from '../kube/contests.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { kindAndKey, type KubeObject, objectKey } from '../kube/object.ts';
import { objectPath, type Resource } from '../kube/resource.ts';
import type { Store } from '../kube/store.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import type { Clock } from '../lib/clock.ts';
import { memoize } from '../lib/memoize.ts';

/** Where the status of an object is written, and the store that gets the answer. */
export type StatusTarget<T extends KubeObject> = { readonly resource: Resource; readonly store: Store<T> };

/** Writes statuses, and notices those that others undo again and again. */
export class StatusWriter {
  readonly #client: KubeClient;
  readonly #contests: Contests;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#contests = new Contests(clock);
  }

  /** Whether others undo `status`, which was written to `object` before; with `waitMs` above 0, writing must wait. */
  undone(object: KubeObject, status: object): Contest | undefined {
    return this.#contests.undone(kindAndKey(object), statusHash(status));
  }

  /**
   * Applies `status` to `object`, if it still exists: fields of others stay.
   *
   * @throws KubeError with status 409 if it has changed since: the answer would otherwise put a change of others into the
   *   store without a notification.
   */
  async apply<T extends KubeObject>(target: StatusTarget<T>, object: T, status: object): Promise<void> {
    const { apiVersion, kind } = target.resource;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    await this.#write(target, object, status, {
      query: { fieldManager, force: 'true', fieldValidation: 'Strict' },
      contentType: 'application/apply-patch+yaml',
      body: { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion }, status },
    });
  }

  /**
   * Replaces the fields of `status` in `object`, if it still exists, where apply would not do: an atomic list of several writers.
   *
   * @throws as `apply` does.
   */
  async merge<T extends KubeObject>(target: StatusTarget<T>, object: T, status: object): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    await this.#write(target, object, status, {
      query: { fieldManager, fieldValidation: 'Strict' },
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion }, status },
    });
  }

  async #write<T extends KubeObject>(
    { resource, store }: StatusTarget<T>,
    object: T,
    status: object,
    request: { query: Record<string, string>; contentType: string; body: unknown },
  ): Promise<void> {
    const path = `${objectPath(resource, object)}/status`;
    try {
      await store.writeThrough(objectKey(object), () =>
        this.#client.requestObject<T>({ method: 'PATCH', path, ...request }),
      );
      this.#contests.written(kindAndKey(object), statusHash(status));
    } catch (error) {
      if (!isKubeError(error, 404)) throw error;
    }
  }
}

/** In JSON, where the quotes of a string are escaped, only a field looks like this. */
const conditionTimes = /"lastTransitionTime":"[^"]*",?/g;

/**
 * The hash of `status` without the times of conditions, which are new each time that others undo it. Memoized, since the same
 * status is looked up before it is written and recorded afterwards.
 */
const statusHash = memoize((status: object): string =>
  hash('sha256', canonicalJson(status).replace(conditionTimes, ''), 'base64url'),
);
