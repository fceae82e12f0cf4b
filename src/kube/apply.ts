import { hash as digest } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.ts';
import { ApplyFailedError, RefusedError, ResourceConflictError } from './apply-errors.ts';
import { type Difference, differences } from './differences.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import { withoutManagedFields } from './managed-fields.ts';
import { controllerOf, type KubeObject, objectKey } from './object.ts';
import { objectPath, type Resource } from './resource.ts';
import { foreignPortsPatch } from './service-ports.ts';
import type { Store } from './store.ts';
import type { KubeRequest, KubeClient } from './client.ts';

/** The name under which the API server records which fields are ours. */
export const fieldManager = 'realm-operator';

/** Holds the hash of what was last applied, so that what we no longer want is noticed. */
const appliedHashAnnotation = 'realm-operator.dev/applied-hash';

/**
 * Tells people which version wrote an object. That it is another one is no reason to write: the first look of a new
 * version would write everything there is. It comes along with the next change.
 */
const versionLabel = 'app.kubernetes.io/version';

/** A kind that we write, and what we know of its objects. */
export type OwnedKind = { readonly resource: Resource; readonly store: Store<KubeObject> };

/** What became of a wanted object. The outcome completes the sentence "Service edge/web was …". */
export type Applied = {
  /** `terminating`: one of that name, of ours or of an owner before, is still being deleted; nothing was written. */
  readonly outcome: 'unchanged' | 'created' | 'updated' | 'repaired' | 'terminating';
  /** As it is now. */
  readonly object: KubeObject;
};

/**
 * Makes objects as they are wanted, by server-side apply, and writes nothing where they are.
 *
 * **Ours** is what has our owner as its controller. Anything else of a wanted name is left alone.
 * An object differs when the hash of what we want is not the one it carries (this finds what we no longer want), or a
 * field is not as wanted (this finds what others changed). Where the API server's own answer to an apply differs
 * from what was applied, such as a quantity written another way, this difference counts no longer.
 */
export class Applier {
  readonly #client: KubeClient;
  readonly #kinds: ReadonlyMap<string, OwnedKind>;
  /** By uid: what the server made of what we applied. */
  readonly #settled = new Map<string, { readonly hash: string; readonly differences: ReadonlySet<string> }>();
  /** By kind and key: the hash of an apply that failed inside the server. */
  readonly #failed = new Map<string, string>();

  constructor(client: KubeClient, kinds: readonly OwnedKind[]) {
    this.#client = client;
    this.#kinds = new Map(kinds.map((kind) => [kindKey(kind.resource), kind]));
    for (const { store } of kinds)
      store.subscribe(({ now, before }) => {
        if (now === undefined) this.#settled.delete(before?.uid ?? '');
      });
  }

  /**
   * Makes `desired` so, which names its owner as its controller.
   *
   * @param seen  what `observe` found shortly before, so that the API server is not asked once more.
   * @throws ResourceConflictError where another's object has its name; RefusedError where the server will never take it;
   *   ApplyFailedError where it fails over it; KubeError where it does not take it now (409: it changed meanwhile); an error
   *   of the connection.
   */
  async apply(desired: KubeObject, seen?: Promise<KubeObject | undefined>): Promise<Applied> {
    const versionless = withoutVersion(desired);
    const hash = hashOf(versionless);
    const observed = await this.observe(desired, seen);
    if (observed === undefined) {
      return { outcome: 'created', object: await this.#send(withHash(desired, hash), hash) };
    }
    if (observed.metadata.deletionTimestamp !== undefined || !isOwnedBy(observed, desired)) {
      return { outcome: 'terminating', object: observed };
    }
    const isNew = !bearsHash(observed, hash);
    if (!isNew && this.#isSettled(versionless, observed, hash)) {
      return { outcome: 'unchanged', object: observed };
    }
    const object = withHash(desired, hash, observed.metadata.uid);
    const written = isNew
      ? await this.#update(object, observed, hash)
      : await this.#repair(object, observed, hash);
    return { outcome: isNew ? 'updated' : 'repaired', object: written };
  }

  /**
   * What there is of the name and kind of `desired`: from the store or, where that has none, from the API server, since the
   * store knows only objects that carry our label.
   *
   * @throws ResourceConflictError where it is neither ours nor of an owner of the same name, whose things are being
   *   collected.
   */
  async observe(
    desired: KubeObject,
    seen?: Promise<KubeObject | undefined>,
  ): Promise<KubeObject | undefined> {
    const known = this.#kind(desired).store.get(objectKey(desired));
    const observed = known ?? (await (seen ?? this.#read(desired)));
    if (observed !== undefined && !isOfSameName(observed, desired)) throw new ResourceConflictError(desired);
    return observed;
  }

  /** Deletes `object`, if it is still the same one. What belongs to it is collected after it. */
  async delete(object: KubeObject): Promise<void> {
    const body = {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      preconditions: { uid: object.metadata.uid },
      propagationPolicy: 'Background',
    };
    try {
      await this.#client.request({ method: 'DELETE', path: this.#path(object), body });
    } catch (error) {
      const isGone = isKubeError(error, 404) || isKubeError(error, 409); // 409: another one has its name by now
      if (!isGone) throw error;
    }
  }

  /** The wanted fields changed: applying removes ours that are no longer wanted, which then are not foreign. */
  async #update(object: KubeObject, observed: KubeObject, hash: string): Promise<KubeObject> {
    try {
      return await this.#withoutForeignPorts(object, await this.#send(object, hash));
    } catch (error) {
      // A foreign port may bear the name of a wanted one.
      if (!(error instanceof RefusedError) || foreignPortsPatch(object, observed) === undefined) throw error;
      return this.#repair(object, observed, hash);
    }
  }

  /** Others changed something: what they added goes first, since it may stand in the way. */
  async #repair(object: KubeObject, observed: KubeObject, hash: string): Promise<KubeObject> {
    const cleaned = await this.#withoutForeignPorts(object, observed);
    return this.#isSettled(withoutVersion(object), cleaned, hash) ? cleaned : this.#send(object, hash);
  }

  async #send(object: KubeObject, hash: string): Promise<KubeObject> {
    const query = { fieldManager, force: 'true', fieldValidation: 'Strict' };
    const path = this.#path(object);
    try {
      const contentType = 'application/apply-patch+yaml';
      const request = { method: 'PATCH', path, query, body: object, contentType } as const;
      const written = await this.#written(object, request);
      this.#failed.delete(path);
      this.#took(object, written, hash);
      return written;
    } catch (error) {
      throw this.#failure(object, hash, error) ?? error;
    }
  }

  /** Sends a write of `object` and keeps the answer. */
  #written(object: KubeObject, request: KubeRequest): Promise<KubeObject> {
    return this.#kind(object).store.writeThrough(objectKey(object), async () =>
      withoutManagedFields((await this.#client.request(request)) as KubeObject),
    );
  }

  /** Keeps in what the server's answer differs from what was asked. */
  #took(object: KubeObject, written: KubeObject, hash: string): void {
    const settled = new Set(differences(object, written).map(differenceKey));
    const { uid = '' } = written.metadata;
    this.#settled.delete(uid);
    if (settled.size > 0) this.#settled.set(uid, { hash, differences: settled });
  }

  /**
   * What `error` says of the object, where it does: 400 and 422 refuse it, while 500 is what server-side apply answers to
   * an unknown field or a wrong type, but may also be a passing failure: so the second one in a row counts. So it is with
   * other failures of the server, which are none of the object's; that it does not answer takes long enough to be told.
   */
  #failure(object: KubeObject, hash: string, error: unknown): Error | undefined {
    if (isTimeout(error)) return new ApplyFailedError(object, 'it did not answer in time', error);
    if (!(error instanceof KubeError)) return undefined;
    const { status, message } = error;
    if (isOtherObject(error)) return conflict(error);
    if (status === 400 || status === 422) return new RefusedError(object, error);
    if (status < 500 || !this.#failsAgain(object, hash)) return undefined;
    return status === 500 ? new RefusedError(object, error) : new ApplyFailedError(object, message, error);
  }

  #failsAgain(object: KubeObject, hash: string): boolean {
    const path = this.#path(object);
    const failedBefore = this.#failed.get(path) === hash;
    this.#failed.set(path, hash);
    return failedBefore;
  }

  async #withoutForeignPorts(object: KubeObject, observed: KubeObject): Promise<KubeObject> {
    const body = foreignPortsPatch(object, observed);
    if (body === undefined) return observed;
    const contentType = 'application/json-patch+json';
    const query = { fieldManager, fieldValidation: 'Strict' };
    return this.#written(object, { method: 'PATCH', path: this.#path(object), query, body, contentType });
  }

  #isSettled(versionless: KubeObject, observed: KubeObject, hash: string): boolean {
    const settled = this.#settled.get(observed.metadata.uid ?? '');
    const isKnown = (difference: Difference): boolean =>
      settled?.hash === hash && settled.differences.has(differenceKey(difference));
    return (
      differences(versionless, observed).every(isKnown) &&
      foreignPortsPatch(versionless, observed) === undefined
    );
  }

  async #read(object: KubeObject): Promise<KubeObject | undefined> {
    const found = await this.#client.find(this.#path(object));
    return found === undefined ? undefined : withoutManagedFields(found as KubeObject);
  }

  #path(object: KubeObject): string {
    return objectPath(this.#kind(object).resource, object);
  }

  #kind(object: KubeObject): OwnedKind {
    const kind = this.#kinds.get(kindKey(object));
    if (kind === undefined) throw new Error(`no such kind is applied: ${kindKey(object)}`);
    return kind;
  }
}

/** Whether `desired` is what was last applied to `observed`. */
export function wasApplied(desired: KubeObject, observed: KubeObject): boolean {
  return bearsHash(observed, hashOf(withoutVersion(desired)));
}

function bearsHash(observed: KubeObject, hash: string): boolean {
  return observed.metadata.annotations?.[appliedHashAnnotation] === hash;
}

/** Whether the time for a request was over; see `KubeClient.request`. */
function isTimeout(error: unknown): error is DOMException {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** The object was replaced since we saw it: the server calls the UID that we send for that "immutable". */
function isOtherObject({ status, causes }: KubeError): boolean {
  return status === 422 && causes.some(({ field }) => field === 'metadata.uid');
}

function conflict({ message, causes, retryAfterMs }: KubeError): KubeError {
  return new KubeError({ status: 409, reason: 'Conflict', message, causes, retryAfterMs });
}

function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${apiVersion}/${kind}`;
}

/**
 * Identifies what is wanted, whatever version wants it. The IP families of a Service are no part of it: on creation the
 * cluster chooses them, and what is wanted afterwards repeats its choice.
 */
function hashOf(versionless: KubeObject): string {
  const { kind, spec = {} } = versionless as KubeObject & { readonly spec?: object };
  const identity =
    kind === 'Service' ? { ...versionless, spec: { ...spec, ipFamilies: undefined } } : versionless;
  return digest('sha256', canonicalJson(identity)).slice(0, 32);
}

function withoutVersion(object: KubeObject): KubeObject {
  const { labels, ...metadata } = object.metadata;
  if (labels === undefined) return object;
  const { [versionLabel]: _version, ...others } = labels;
  return { ...object, metadata: { ...metadata, labels: others } };
}

function withHash(desired: KubeObject, hash: string, uid?: string): KubeObject {
  const annotations = { ...desired.metadata.annotations, [appliedHashAnnotation]: hash };
  return {
    ...desired,
    metadata: { ...desired.metadata, annotations, ...(uid === undefined ? {} : { uid }) },
  };
}

function isOwnedBy(observed: KubeObject, desired: KubeObject): boolean {
  const owner = controllerOf(desired)?.uid;
  return owner !== undefined && controllerOf(observed)?.uid === owner;
}

/** Whether the owner of `observed` is, or was before it was deleted and made anew, that of `desired`. */
function isOfSameName(observed: KubeObject, desired: KubeObject): boolean {
  const [a, b] = [controllerOf(observed), controllerOf(desired)];
  return (
    a !== undefined && b !== undefined && a.kind === b.kind && a.name === b.name && group(a) === group(b)
  );
}

function group({ apiVersion }: { readonly apiVersion: string }): string {
  return apiVersion.split('/', 1)[0] ?? '';
}

function differenceKey(difference: Difference): string {
  return canonicalJson(difference);
}
