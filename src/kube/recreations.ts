import { appliedHash } from './applied-hash.ts';
import { type Contest, Contests } from './contests.ts';
import { isAppliedBy, managerTexts, otherManagers } from './field-managers.ts';
import { controllerOf, kindAndKey, type KubeObject } from './object.ts';
import type { Rivalry, RivalSearchOptions } from './rivals.ts';

/** How many deleted objects are remembered. */
const maxDeleted = 4_096;

/**
 * Notices objects that are deleted, since their owner wants none or another one in their place, and exist again and again.
 *
 * Only an object with another uid counts, and only as long as its owner wants the same: somebody who edits the owner back and
 * forth is no rival. What the owner wants is any JSON value, called `wish`.
 */
export class Recreations {
  readonly #options: RivalSearchOptions;
  readonly #contests: Contests;
  /** The uid of what was deleted last, by key. */
  readonly #deleted = new Map<string, string>();
  /** By key, of contested objects. */
  readonly #known = new Map<string, Omit<Rivalry, keyof Contest>>();

  constructor(options: RivalSearchOptions) {
    this.#options = options;
    this.#contests = new Contests(options.clock);
  }

  /** Records that `object` was deleted by `wish`. */
  deleted(object: KubeObject, wish: object): void {
    const key = kindAndKey(object);
    this.#deleted.delete(key);
    this.#deleted.set(key, object.metadata.uid ?? '');
    this.#contests.written(key, appliedHash(wish));
    const [oldest] = this.#deleted.keys();
    if (this.#deleted.size > maxDeleted && oldest !== undefined) this.#forget(oldest);
  }

  /** Records that `object` was written by `wish`. What was deleted by another one may exist since then. */
  written(object: KubeObject, wish: object): void {
    const key = kindAndKey(object);
    if (this.#deleted.has(key) && !this.#contests.isAbout(key, appliedHash(wish))) this.#forget(key);
  }

  /**
   * Records that `object` exists and is to be deleted by `wish`.
   *
   * @param fields  in what it differs from the one that is wanted in its place; empty if none is wanted.
   * @returns the rivalry, if it is one; with `waitMs` above 0, it must not be deleted yet.
   */
  async found(
    object: KubeObject,
    wish: object,
    fields: readonly string[] = [],
  ): Promise<Rivalry | undefined> {
    const [key, hash] = [kindAndKey(object), appliedHash(wish)];
    const isNew = this.#deleted.get(key) !== object.metadata.uid;
    const contest = isNew ? this.#contests.undone(key, hash) : this.#contests.settling(key, hash);
    if (contest === undefined) return undefined;
    if (contest.isNews || !this.#known.has(key)) {
      const managers = await this.#creators(object);
      this.#known.set(key, { object, managers, fields, isOwnKind: false, isRecreated: true });
    }
    return this.#rivalry(key, contest);
  }

  /** The rivalries about objects of the owner with this uid that were contested until a moment ago. */
  settling(owner: string | undefined, wish: object): Rivalry[] {
    const settling: Rivalry[] = [];
    for (const [key, { object }] of this.#known) {
      if (controllerOf(object)?.uid !== owner) continue;
      const contest = this.#contests.settling(key, appliedHash(wish));
      const rivalry = contest && this.#rivalry(key, contest);
      if (rivalry === undefined) this.#known.delete(key);
      else settling.push(rivalry);
    }
    return settling;
  }

  #rivalry(key: string, contest: Contest): Rivalry | undefined {
    const known = this.#known.get(key);
    return known && { ...contest, ...known };
  }

  /** Who created `object`; nobody if it was us, and admission changed it. */
  async #creators(object: KubeObject): Promise<readonly string[]> {
    const { read, own } = this.#options;
    const live = await read(object);
    if (live === undefined || isAppliedBy(live, own, [])) return [];
    return managerTexts(otherManagers(live, [[]], own));
  }

  #forget(key: string): void {
    this.#deleted.delete(key);
    this.#known.delete(key);
    this.#contests.forget(key);
  }
}
