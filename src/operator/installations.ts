import { type Action, awaitChange, requeueAfter } from '../controller/action.ts';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import type { KubeEvent } from '../kube/events.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { type ObjectKey, objectKey } from '../kube/object.ts';
import type { PackedObject } from '../kube/packed-object.ts';
import type { Store } from '../kube/store.ts';
import type { Clock } from '../lib/clock.ts';
import { asError } from '../lib/errors.ts';
import { memoize } from '../lib/memoize.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RelayObject } from './kinds.ts';

/** How long after its answer an installation is asked again, for each namespace in which it serves RealmRelays. */
const askAgainMs = 15_000;
/** How long a question waits that could not be written because the RealmRelay had changed. */
const retryMs = 1_000;
/** How long a RealmRelay that nobody serves yet is left to an installation that is known to run. */
const precedenceMs = 10_000;

/** What to do about a second installation. */
export const installationRemedy =
  'uninstall one of the two, or give each namespaces of its own (--namespace, watchNamespaces of the chart)';

/** What {@link Installations} works with. */
export type InstallationsOptions = {
  /** The name of this installation: the same for all its replicas and versions, and of no other. */
  readonly own: string;
  /** How long an installation may take to answer, in milliseconds: longer than its next leader takes to work. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly relays: Store<RelayObject>;
  /** Rejects with status 409 if `object` has changed. */
  readonly writeStatus: (object: RelayObject, status: RealmRelayStatus) => Promise<void>;
  readonly recordEvent: (event: KubeEvent) => void;
  /** Has the RealmRelay at `key` reconciled. */
  readonly requeue: (key: ObjectKey) => void;
};

/** Another installation that serves RealmRelays of a namespace, or did. */
type Other = {
  readonly installation: string;
  readonly namespace: string;
  /** The RealmRelay on which it is asked whether it runs; undefined between two questions. */
  asked: ObjectKey | undefined;
  /** The RealmRelay on which it was to be asked, if that had changed; it is asked again once the change is seen. */
  changed: ObjectKey | undefined;
  /** Whether it has answered. */
  isRunning: boolean;
  /** Cancels the next step. */
  cancel: () => void;
};

/**
 * Decides which RealmRelays this installation serves if several see the same ones.
 *
 * `status.operator` names the installation that serves a RealmRelay; it is written with the rest of the status. Another one
 * that sees it asks whether that installation still runs: it sets `status.contender` on one RealmRelay of each namespace. An
 * installation that runs removes it with its next reconcile, since its own status has no contender. Where nobody does, the
 * one who asked takes over the RealmRelays of that namespace. The write by which it begins has the resource version as its
 * precondition, so that an answer it has not seen yet makes it fail, and of several that ask, one comes through.
 */
export class Installations {
  readonly #options: InstallationsOptions;
  /** By namespace and name of the installation. */
  readonly #others = new Map<string, Other>();
  /** RealmRelays of installations that are gone, until their status names this one. */
  readonly #inherited = new Set<ObjectKey>();
  /** Since when a RealmRelay is left to another installation, in monotonic ms. */
  readonly #leftSinceMs = new Map<ObjectKey, number>();
  /** Installations that asked whether this one runs. */
  readonly #contenders = new Set<string>();
  #isStopped = false;

  constructor(options: InstallationsOptions) {
    this.#options = options;
    options.relays.subscribe(({ now, before }) => {
      if (now === undefined && before !== undefined) this.#forget(before.key);
    });
  }

  /** The name of this installation. */
  get own(): string {
    return this.#options.own;
  }

  /** What the reconcile of `object` comes to if another installation serves it, or may; undefined if it is ours to serve. */
  left(object: RelayObject): Action | undefined {
    const { operator, contender } = object.status ?? {};
    const key = objectKey(object);
    if (operator === undefined) return this.#others.size === 0 ? undefined : this.#leave(key, precedenceMs);
    if (operator === this.own) return this.#kept(key, contender);
    if (this.#inherited.has(key)) return undefined;
    this.#meet(object, operator);
    return awaitChange;
  }

  /** How many RealmRelays are left to each other installation, by its name. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    if (this.#others.size === 0) return counts;
    for (const relay of this.#options.relays.all()) {
      const operator = operatorOf(relay);
      if (operator !== undefined && operator !== this.own)
        counts.set(operator, (counts.get(operator) ?? 0) + 1);
    }
    return counts;
  }

  /** Asks nobody any more. */
  stop(): void {
    this.#isStopped = true;
    for (const { cancel } of this.#others.values()) cancel();
  }

  #forget(key: ObjectKey): void {
    this.#inherited.delete(key);
    this.#leftSinceMs.delete(key);
  }

  #kept(key: ObjectKey, contender = this.own): Action | undefined {
    if (contender !== this.own) return this.#contended(key, contender);
    this.#forget(key);
    return undefined;
  }

  /** Leaves the RealmRelay at `key` to another installation for `waitMs`, and not longer, since that one may end. */
  #leave(key: ObjectKey, waitMs: number): Action | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    const sinceMs = this.#leftSinceMs.get(key) ?? nowMs;
    this.#leftSinceMs.set(key, sinceMs);
    const leftMs = Math.ceil(sinceMs + waitMs - nowMs);
    return leftMs > 0 ? requeueAfter(leftMs) : undefined;
  }

  /**
   * `contender` asks on a RealmRelay of ours whether this installation runs. Two that were started at the same time may each
   * have got some RealmRelays: then the one whose name sorts first gets all.
   */
  #contended(key: ObjectKey, contender: string): Action | undefined {
    const { relays, patienceMs, log } = this.#options;
    if (!this.#contenders.has(contender)) {
      this.#contenders.add(contender);
      const fields = { installation: contender, relay: key, remedy: installationRemedy };
      log.warn(fields, 'another installation watches RealmRelays that this one serves');
    }
    const isServing = [...relays.all()].some((relay) => operatorOf(relay) === contender);
    return contender < this.own && isServing ? this.#leave(key, 2 * patienceMs) : undefined;
  }

  /** `installation` serves `object`, or did. */
  #meet(object: RelayObject, installation: string): void {
    const { namespace = '' } = object.metadata;
    const nothing = { asked: undefined, changed: undefined, isRunning: false, cancel: () => undefined };
    const other: Other = { installation, namespace, ...nothing };
    const known = this.#others.get(idOf(other));
    if (known !== undefined) {
      this.#meetAgain(known, object);
      return;
    }
    this.#others.set(idOf(other), other);
    void this.#ask(other, object);
  }

  #meetAgain(other: Other, object: RelayObject): void {
    const key = objectKey(object);
    if (other.changed === key) void this.#ask(other, object);
    else if (other.asked === key && !isContended(object)) this.#answered(other, object);
  }

  /** Asks `other` on `object` whether it runs, unless someone else is asking that already. Never rejects. */
  async #ask(other: Other, object = this.#relayOf(other)): Promise<void> {
    const { clock, patienceMs, relays } = this.#options;
    other.cancel();
    other.changed = undefined;
    if (object === undefined) {
      this.#others.delete(idOf(other));
      return;
    }
    const question = { ...object.status, contender: this.own };
    const isAsked = object.status?.contender !== undefined || (await this.#write(other, object, question));
    if (!isAsked || this.#isStopped) return;
    other.asked = objectKey(object);
    other.cancel = clock.after(patienceMs, () => void this.#takeOver(other));
    const now = relays.get(other.asked);
    if (isServedBy(other, now) && !isContended(now)) this.#answered(other, now);
  }

  /** Writes the status of `object`. Returns whether it could; if not, `other` is asked again later. Never rejects. */
  async #write(other: Other, object: RelayObject, status: RealmRelayStatus): Promise<boolean> {
    const { log, writeStatus, relays } = this.#options;
    const { resourceVersion } = object.metadata;
    try {
      await writeStatus(object, status);
      return true;
    } catch (error) {
      const hasChanged = isKubeError(error, 409);
      if (!hasChanged && !this.#isStopped)
        log.warn({ err: asError(error) }, 'failed to ask another installation, retrying');
      this.#askLater(other, hasChanged ? retryMs : askAgainMs);
      const key = objectKey(object);
      const now = hasChanged ? relays.get(key) : undefined;
      if (isServedBy(other, now) && now.metadata.resourceVersion !== resourceVersion)
        void this.#ask(other, now);
      else if (hasChanged) other.changed = key;
      return false;
    }
  }

  #askLater(other: Other, delayMs = askAgainMs): void {
    other.asked = undefined;
    other.cancel();
    if (this.#isStopped) return;
    const waitMs = delayMs * this.#namespacesOf(other.installation).length;
    other.cancel = this.#options.clock.after(waitMs, () => void this.#ask(other));
  }

  #answered(other: Other, object: RelayObject): void {
    const { log, recordEvent } = this.#options;
    const { installation } = other;
    this.#askLater(other);
    if (other.isRunning) return;
    const isKnown = this.#namespacesOf(installation).some(({ isRunning }) => isRunning);
    other.isRunning = true;
    const note = `Installation "${this.own}" leaves this RealmRelay to installation "${installation}", which serves it: ${installationRemedy}.`;
    recordEvent({
      regarding: object,
      type: 'Warning',
      reason: 'OtherInstallation',
      action: 'Reconcile',
      note,
    });
    if (isKnown) return;
    const fields = { installation, relay: objectKey(object), remedy: installationRemedy };
    log.warn(fields, 'another installation serves RealmRelays, leaving them to it');
  }

  /** Takes over what `other` served in the namespace, since it has not answered. Never rejects. */
  async #takeOver(other: Other): Promise<void> {
    const { relays, requeue } = this.#options;
    const { asked = '*/*' } = other;
    other.asked = undefined;
    const object = relays.get(asked);
    if (!isServedBy(other, object)) return this.#ask(other);
    const { contender: _unanswered, ...status } = object.status ?? {};
    if (!(await this.#write(other, object, { ...status, operator: this.own }))) return;
    if (relays.get(asked)?.status?.operator !== this.own) return this.#ask(other); // it was deleted meanwhile
    requeue(asked);
    this.#inherit(other);
  }

  /** Lets this installation serve what `other` served in the namespace, and asks in the others that it serves. */
  #inherit(other: Other): void {
    const { log, requeue } = this.#options;
    const { installation, namespace } = other;
    this.#others.delete(idOf(other));
    log.info({ installation, namespace }, 'other installation gone, serving its RealmRelays');
    for (const key of this.#relaysOf(other)) {
      this.#inherited.add(key);
      requeue(key);
    }
    for (const more of this.#namespacesOf(installation)) if (more.asked === undefined) void this.#ask(more);
  }

  #namespacesOf(installation: string): Other[] {
    return [...this.#others.values()].filter((other) => other.installation === installation);
  }

  #relaysOf({ installation, namespace }: Other): ObjectKey[] {
    return [...this.#options.relays.all()]
      .filter((relay) => relay.key.startsWith(`${namespace}/`) && operatorOf(relay) === installation)
      .map(({ key }) => key);
  }

  /** A RealmRelay on which `other` can be asked. */
  #relayOf(other: Other): RelayObject | undefined {
    return this.#relaysOf(other)
      .map((key) => this.#options.relays.get(key))
      .find((object) => isServedBy(other, object));
  }
}

/** Memoized, since most relays have not changed when they are looked at again. */
const operatorOf = memoize((relay: PackedObject<RelayObject>) => relay.object().status?.operator);

/** Whether `object` exists, and `installation` will reconcile it if it runs; it does not once it is being deleted. */
function isServedBy({ installation }: Other, object: RelayObject | undefined): object is RelayObject {
  return object?.status?.operator === installation && object.metadata.deletionTimestamp === undefined;
}

/** Whether an installation asks on `object` if the one that serves it runs. */
function isContended({ status }: RelayObject): boolean {
  return status?.contender !== undefined;
}

function idOf({ namespace, installation }: Pick<Other, 'namespace' | 'installation'>): string {
  return `${namespace}/${installation}`;
}
