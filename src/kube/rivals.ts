import type { Clock } from '../lib/clock.ts';
import { appliedHashSteps, hasAppliedHash } from './applied-hash.ts';
import { type Contest, Contests } from './contests.ts';
import { isAppliedBy, type ManagedObject, managerTexts, named, otherManagers } from './field-managers.ts';
import { kindAndKey, type KubeObject, type ObjectKey } from './object.ts';

/** How many deleted objects are remembered. */
const maxGone = 4_096;

/** Who undoes what we write to an object, and where, as far as the API server records it. */
export type Rivals = {
  /** Each as `"kubectl-edit"` or `"kube-controller-manager" (subresource scale)`, sorted; empty if nobody is recorded. */
  readonly managers: readonly string[];
  /** Paths of the contested fields, sorted; empty if the object is deleted again and again, or not wanted. */
  readonly fields: readonly string[];
  /** Whether it is an operator with our field manager, which wants something else. */
  readonly isOwnKind: boolean;
};

/** A contest about an object; see {@link Contest}. */
export type Rivalry = Contest &
  Rivals & {
    readonly object: KubeObject;
    /** Whether it exists again and again after we deleted it. */
    readonly isRecreated?: boolean;
  };

/** What finding rivals works with. */
export type RivalSearchOptions = {
  readonly clock: Clock;
  /** Reads an object from the API server with its managed fields, which stores do not keep. */
  readonly read: (object: KubeObject) => Promise<ManagedObject | undefined>;
  /** Our field managers. */
  readonly own: readonly string[];
};

const nobody: Rivals = { managers: [], fields: [], isOwnKind: false };

/** Notices who undoes what is written to objects. An object is read once each time it is undone, and else never. */
export class RivalSearch {
  readonly #options: RivalSearchOptions;
  readonly #contests: Contests;
  /** By key, of contested objects. */
  readonly #known = new Map<string, Rivals>();
  /** Keys of objects that were deleted, so that the many that are created once are not remembered. */
  readonly #gone = new Set<string>();

  constructor(options: RivalSearchOptions) {
    this.#options = options;
    this.#contests = new Contests(options.clock);
  }

  /** Records that `desired`, whose hash is `hash`, was created; it is only remembered if one of its name is gone. */
  created(desired: KubeObject, hash: string): void {
    const key = kindAndKey(desired);
    if (this.#gone.has(key)) this.#contests.written(key, hash);
  }

  /** Records that an existing object was made what `desired` is, whose hash is `hash`. */
  changed(desired: KubeObject, hash: string): void {
    this.#contests.written(kindAndKey(desired), hash);
  }

  /** Records that the object of this kind at `key` is gone. */
  gone(kind: string, key: ObjectKey): void {
    this.#gone.add(`${kind}/${key}`);
    const [oldest] = this.#gone;
    if (this.#gone.size > maxGone && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** Records that we deleted `object`. */
  forget(object: KubeObject): void {
    this.#contests.forget(kindAndKey(object));
    this.#known.delete(kindAndKey(object));
  }

  /**
   * Records that `desired` is not what exists.
   *
   * @param ways  to what differs, as in `Difference.steps`; that to the object itself if it is gone.
   * @returns the rivalry, if it is one; with `waitMs` above 0, writing must wait.
   */
  async undone(
    desired: KubeObject,
    hash: string,
    ways: readonly (readonly string[])[],
  ): Promise<Rivalry | undefined> {
    const key = kindAndKey(desired);
    const contest = this.#contests.undone(key, hash, ways.map(pathOf));
    if (contest === undefined) return undefined;
    if (contest.isNews || !this.#known.has(key)) {
      const contested = ways.filter((steps) => steps.length > 0 && contest.paths.includes(pathOf(steps)));
      this.#known.set(key, contested.length === 0 ? nobody : await this.#rivals(desired, hash, contested));
    }
    return this.#rivalry(desired, contest);
  }

  /** Records that `desired`, whose hash is `hash`, is what exists. Returns the rivalry, if there was one until a moment ago. */
  asWanted(desired: KubeObject, hash: string): Rivalry | undefined {
    const contest = this.#contests.asWanted(kindAndKey(desired), hash);
    if (contest !== undefined) return this.#rivalry(desired, contest);
    if (this.#known.size > 0) this.#known.delete(kindAndKey(desired));
    return undefined;
  }

  #rivalry(object: KubeObject, contest: Contest): Rivalry {
    return { ...contest, ...(this.#known.get(kindAndKey(object)) ?? nobody), object };
  }

  /** @param contested  the ways to the contested fields. */
  async #rivals(
    desired: KubeObject,
    hash: string,
    contested: readonly (readonly string[])[],
  ): Promise<Rivals> {
    const { read, own } = this.#options;
    const live = await read(desired);
    if (live === undefined) return nobody;
    const managers = otherManagers(live, contested, own);
    const isOwnKind = !hasAppliedHash(live, hash) && isAppliedBy(live, own, appliedHashSteps);
    return {
      managers: isOwnKind ? [] : managerTexts(managers),
      fields: named(contested.map(pathOf)),
      isOwnKind,
    };
  }
}

function pathOf(steps: readonly string[]): string {
  return steps.join('');
}
