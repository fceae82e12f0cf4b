import type { Clock } from '../lib/clock.ts';
import { present } from '../lib/record.ts';
import { RefusedError, ResourceConflictError, writeError } from './apply-errors.ts';
import type { ApplyRules, PatchOperation } from './apply-rules.ts';
import {
  appliedHash,
  appliedHashSteps,
  hasAppliedHash,
  withAppliedHash,
  withoutVersion,
} from './applied-hash.ts';
import type { KubeClient, KubeRequest } from './client.ts';
import { ErrorClassifier } from './error-classifier.ts';
import type { ManagedObject } from './field-managers.ts';
import { isKubeError } from './kube-error.ts';
import { isLeftover, mayBeLeftover } from './leftovers.ts';
import { withoutManagedFields } from './managed-fields.ts';
import { type KubeObject, objectKey } from './object.ts';
import { hasOwnerOfSameName, isOwnedBy } from './ownership.ts';
import { type Rivalry, RivalSearch } from './rivals.ts';
import { objectPath, type Resource } from './resource.ts';
import { SettledDifferences } from './settled-differences.ts';
import type { Store } from './store.ts';

/** The name under which the API server records which fields are ours. */
export const fieldManager = 'realm-operator';
/** The name under which the number of Pods is kept for an autoscaler. */
export const replicasManager = `${fieldManager}-replicas`;

const ownersSteps = ['.metadata', '.ownerReferences'];

/** All of our field managers. */
export const ownManagers: readonly string[] = [fieldManager, replicasManager];

/** A kind that is written: where it is served, what is known of its objects, and how it is applied. */
export type OwnedKind = {
  readonly resource: Resource;
  readonly store: Store<KubeObject>;
  readonly rules: ApplyRules;
};

/** What an applier works with. */
export type ApplierOptions = {
  readonly client: KubeClient;
  readonly kinds: readonly OwnedKind[];
  readonly clock: Clock;
  /** Whether the owner that `desired` names is on the API server, not just in a store that may be late. */
  readonly isOwnerThere: (desired: KubeObject) => Promise<boolean>;
};

/** The result of applying an object. The outcome completes the sentence "Service edge/web was …". */
export type Applied = {
  /**
   * `terminating`: an object of that name, of this owner or of one before it, is still being deleted; nothing was written.
   * `adopted`: it was left by an owner of the same name that is gone. `contested`: others have undone it again, and it is not time yet to write it once more.
   */
  readonly outcome:
    'unchanged' | 'created' | 'updated' | 'adopted' | 'repaired' | 'terminating' | 'contested';
  /** The object as it is now; as it is wanted, if it is contested. */
  readonly object: KubeObject;
  /** Who undoes it again and again, if somebody does. */
  readonly rivalry?: Rivalry;
};

/**
 * Applies wanted objects by server-side apply, and writes nothing if an object is already as wanted.
 *
 * An object is **ours** if our owner is its controller, or if we provably applied it for an owner that is gone. Any other object
 * of a wanted name is left alone. An object differs
 * if it does not carry the hash of what is wanted, which finds fields that are no longer wanted, or if a field has another
 * value, which finds what others changed. Differences that the API server itself makes do not count; see
 * {@link SettledDifferences}.
 */
export class Applier {
  readonly #client: KubeClient;
  readonly #kinds: ReadonlyMap<string, OwnedKind>;
  readonly #settled = new SettledDifferences();
  readonly #errors = new ErrorClassifier();
  readonly #rivals: RivalSearch;

  readonly #isOwnerThere: ApplierOptions['isOwnerThere'];

  constructor({ client, kinds, clock, isOwnerThere }: ApplierOptions) {
    this.#client = client;
    this.#isOwnerThere = isOwnerThere;
    const read = (object: KubeObject): Promise<ManagedObject | undefined> => this.readManaged(object);
    this.#rivals = new RivalSearch({ clock, read, own: ownManagers });
    this.#kinds = new Map(kinds.map((kind) => [kindKey(kind.resource), kind]));
    for (const { store, resource } of kinds)
      store.subscribe(({ now, before }) => {
        if (now !== undefined || before === undefined) return;
        this.#settled.forget(before.uid ?? '');
        this.#rivals.gone(resource.kind, before.key);
      });
  }

  /**
   * Applies `desired`, which names its owner as its controller.
   *
   * @param observed  what `observe` returned shortly before, which saves a request.
   * @throws ResourceConflictError if another owner's object has its name; RefusedError if the server will never accept it;
   *   ApplyFailedError if the server fails on it; KubeError if the server does not accept it now (409: it changed since it
   *   was read); an error of the connection.
   */
  async apply(desired: KubeObject, observed?: Promise<KubeObject | undefined>): Promise<Applied> {
    const versionless = withoutVersion(desired);
    const hash = this.#hashOf(versionless);
    const current = await this.observe(desired, observed);
    const undone = this.#undone(versionless, current, hash);
    if (current !== undefined && undone.length === 0) {
      const rivalry = this.#rivals.asWanted(desired, hash);
      return { outcome: 'unchanged', object: current, ...present('rivalry', rivalry) };
    }
    const rivalry = await this.#rivals.undone(versionless, hash, undone);
    if (rivalry !== undefined && rivalry.waitMs > 0)
      return { outcome: 'contested', object: desired, rivalry };
    const applied = await this.#writeWanted(desired, current, hash);
    if (applied.outcome === 'created') this.#rivals.created(desired, hash);
    else if (applied.outcome !== 'terminating') this.#rivals.changed(desired, hash);
    return { ...applied, ...present('rivalry', rivalry) };
  }

  /** Makes `current`, which an owner of the same name left, ours: if that is proven, and our owner is the one that is there. */
  async #takeOver(current: KubeObject, desired: KubeObject, hash: string): Promise<Applied> {
    const { deletionTimestamp, uid, ownerReferences = [] } = current.metadata;
    const live = deletionTimestamp === undefined ? await this.readManaged(current) : undefined;
    const isOurs =
      live?.metadata.uid === uid && live !== undefined && isLeftover(live, desired, fieldManager);
    if (!isOurs || !(await this.#isOwnerThere(desired))) return { outcome: 'terminating', object: current };
    // Two controllers are refused, and applying removes only what the API server records as applied by us.
    if (ownerReferences.length > 0) await this.#patch(current, ownersPatch(live, desired));
    const object = withAppliedHash(desired, hash, uid);
    return { outcome: 'adopted', object: await this.#update(object, current, hash) };
  }

  async #writeWanted(desired: KubeObject, current: KubeObject | undefined, hash: string): Promise<Applied> {
    if (current === undefined)
      return { outcome: 'created', object: await this.#send(withAppliedHash(desired, hash), hash) };
    if (!isOwned(current, desired)) return this.#takeOver(current, desired, hash);
    const object = withAppliedHash(desired, hash, current.metadata.uid);
    return hasAppliedHash(current, hash)
      ? { outcome: 'repaired', object: await this.#repair(object, current, hash) }
      : { outcome: 'updated', object: await this.#update(object, current, hash) };
  }

  /**
   * The existing object with the kind and name of `desired`: from the store or, if it is not there, from the API server,
   * since the store only knows objects that carry our label.
   *
   * @param observed  what an earlier call returned.
   * @throws ResourceConflictError if it belongs neither to our owner nor to an earlier one of the same name, and is not what
   *   we applied for one that is gone.
   */
  async observe(
    desired: KubeObject,
    observed?: Promise<KubeObject | undefined>,
  ): Promise<KubeObject | undefined> {
    const known = this.#kind(desired).store.get(objectKey(desired));
    const current = known ?? (await (observed ?? this.#read(desired)));
    if (current === undefined || hasOwnerOfSameName(current, desired)) return current;
    const live = mayBeLeftover(current, desired) ? await this.readManaged(current) : undefined;
    if (live === undefined || !isLeftover(live, desired, fieldManager))
      throw new ResourceConflictError(desired);
    return current;
  }

  /** Whether `desired` is what was last applied to `observed`. */
  wasApplied(desired: KubeObject, observed: KubeObject): boolean {
    return hasAppliedHash(observed, this.#hashOf(withoutVersion(desired)));
  }

  /**
   * Deletes `object`, if it is still the same one. What it owns is garbage-collected afterwards.
   *
   * @throws ApplyFailedError if a permission or a policy forbids it; another error of the API server or the connection.
   */
  async delete(object: KubeObject): Promise<void> {
    const body = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions: { uid: object.metadata.uid },
      propagationPolicy: 'Background',
    };
    this.#rivals.forget(object);
    try {
      await this.#client.request({ method: 'DELETE', path: this.#path(object), body });
    } catch (error) {
      const isGone = isKubeError(error, 404) || isKubeError(error, 409); // 409: another object has its name by now
      if (!isGone) throw writeError(error, 'delete', object);
    }
  }

  /** Applies changed fields first, since that removes ours that are no longer wanted, which then do not count as foreign. */
  async #update(object: KubeObject, current: KubeObject, hash: string): Promise<KubeObject> {
    try {
      return await this.#removeForeign(object, await this.#send(object, hash));
    } catch (error) {
      // What others added may conflict with what is wanted, such as a port of the same name.
      if (!(error instanceof RefusedError) || this.#removal(object, current) === undefined) throw error;
      return this.#repair(object, current, hash);
    }
  }

  /** Removes what others added before applying, since it may conflict with what is wanted. */
  async #repair(object: KubeObject, current: KubeObject, hash: string): Promise<KubeObject> {
    const cleaned = await this.#removeForeign(object, current);
    const isAsWanted = this.#undone(withoutVersion(object), cleaned, hash).length === 0;
    return isAsWanted ? cleaned : this.#send(object, hash);
  }

  async #send(object: KubeObject, hash: string): Promise<KubeObject> {
    const query = { fieldManager, force: 'true', fieldValidation: 'Strict' };
    const path = this.#path(object);
    try {
      const contentType = 'application/apply-patch+yaml';
      const written = await this.#write(object, { method: 'PATCH', path, query, body: object, contentType });
      this.#errors.clear(path);
      this.#settled.record(object, written, hash);
      return written;
    } catch (error) {
      throw this.#errors.classify(error, object, path, hash);
    }
  }

  async #removeForeign(object: KubeObject, current: KubeObject): Promise<KubeObject> {
    const body = this.#removal(object, current);
    return body === undefined ? current : this.#patch(object, body);
  }

  async #patch(object: KubeObject, body: readonly PatchOperation[]): Promise<KubeObject> {
    const contentType = 'application/json-patch+json';
    const query = { fieldManager, fieldValidation: 'Strict' };
    return this.#write(object, { method: 'PATCH', path: this.#path(object), query, body, contentType });
  }

  /** Sends a write of `object` and puts the answer into the store. */
  #write(object: KubeObject, request: KubeRequest): Promise<KubeObject> {
    return this.#kind(object).store.writeThrough(objectKey(object), () =>
      this.#client.requestObject(request),
    );
  }

  async #read(object: KubeObject): Promise<KubeObject | undefined> {
    const found = await this.readManaged(object);
    return found === undefined ? undefined : withoutManagedFields(found);
  }

  /** Reads `object` from the API server with the managers of its fields, which stores do not keep; undefined if it is gone. */
  async readManaged(object: KubeObject): Promise<ManagedObject | undefined> {
    return (await this.#client.find(this.#path(object))) as ManagedObject | undefined;
  }

  /** The ways to what is not as wanted in `current`, as in `Difference.steps`: that to the object itself if it is gone. */
  #undone(versionless: KubeObject, current: KubeObject | undefined, hash: string): (readonly string[])[] {
    if (current === undefined || current.metadata.deletionTimestamp !== undefined) return [[]];
    const ways = this.#settled.unsettled(versionless, current, hash).map(({ steps }) => steps);
    if (!isOwnedBy(current, versionless)) ways.push(ownersSteps);
    if (!hasAppliedHash(current, hash)) ways.push(appliedHashSteps);
    if (this.#removal(versionless, current) !== undefined) ways.push(this.#kind(current).rules.cleaned);
    return ways;
  }

  #hashOf(versionless: KubeObject): string {
    return appliedHash(this.#kind(versionless).rules.identity(versionless));
  }

  #removal(object: KubeObject, current: KubeObject): ReturnType<ApplyRules['removal']> {
    return this.#kind(object).rules.removal(object, current);
  }

  #path(object: KubeObject): string {
    return objectPath(this.#kind(object).resource, object);
  }

  #kind(object: KubeObject): OwnedKind {
    const kind = this.#kinds.get(kindKey(object));
    if (kind === undefined) throw new Error(`the applier does not know this kind: ${kindKey(object)}`);
    return kind;
  }
}

/** Whether `current` belongs to the owner of `desired`, and stays. */
function isOwned(current: KubeObject, desired: KubeObject): boolean {
  return current.metadata.deletionTimestamp === undefined && isOwnedBy(current, desired);
}

/** Replaces the owners of `live`, if nobody changed it meanwhile. */
function ownersPatch({ metadata }: KubeObject, desired: KubeObject): PatchOperation[] {
  return [
    { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'replace', path: '/metadata/ownerReferences', value: desired.metadata.ownerReferences },
  ];
}

function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${apiVersion}/${kind}`;
}
