import { targetsOf } from '../../gateway/policies.ts';
import type { ObjectKey } from '../../kube/object.ts';
import type { PackedObject } from '../../kube/packed-object.ts';
import { Store } from '../../kube/store.ts';
import { memoize } from '../../lib/memoize.ts';
import { isSameGeneration } from './changes.ts';
import type { TrafficPolicyObject } from './kinds.ts';
import { ReferenceIndex } from './reference-index.ts';

/** The RealmTrafficPolicies, and which targets they have. An informer fills the store. */
export class PolicyIndex {
  readonly store = new Store<TrafficPolicyObject>();
  readonly #targets = new ReferenceIndex();

  /**
   * Calls `touched` with the key of each policy that changed, and of those with which it shares a target, and `targeted` with each
   * target that it had or has. Both are called after the index is up to date.
   */
  subscribe(touched: (key: ObjectKey) => void, targeted: (kind: string, key: ObjectKey) => void): void {
    this.store.subscribe((change) => {
      const { key } = change.now ?? change.before ?? { key: undefined };
      if (key === undefined) return;
      touched(queueKey(key));
      if (isSameGeneration(change)) return;
      const namespace = key.slice(0, key.indexOf('/'));
      const before = this.#targets.targets(key);
      const now = change.now === undefined ? [] : targetsOf(change.now.object());
      this.#targets.set(key, [
        ...new Set(now.map((target) => targetKey(target.kind, namespace, target.name))),
      ]);
      for (const target of new Set([...before, ...this.#targets.targets(key)])) {
        const [kind = '', ...rest] = target.split('/');
        targeted(kind, rest.join('/') as ObjectKey);
        for (const policy of this.#targets.sources(target)) if (policy !== key) touched(queueKey(policy));
      }
    });
  }

  /** The policies that target the object of this kind, or a part of it. */
  of(kind: string, namespace: string, name: string): TrafficPolicyObject[] {
    const sources = this.#targets.sources(targetKey(kind, namespace, name));
    return sources.flatMap((key) => {
      const packed = this.store.packed(key);
      return packed === undefined ? [] : policyOf(packed);
    });
  }

  /** The keys in the queue of the policies that target the object at `key`. */
  keysOf(kind: string, key: ObjectKey): ObjectKey[] {
    return this.#targets.sources(`${kind}/${key}`).map(queueKey);
  }

  /** The keys in the queue of all policies. */
  *keys(): Iterable<ObjectKey> {
    for (const { key } of this.store.all()) yield queueKey(key);
  }
}

/** One object for each version of a policy, since what is made of it is remembered by object. */
const policyOf = memoize((packed: PackedObject<TrafficPolicyObject>) => packed.object());

/** The prefix of the keys of policies in the queue. */
export const policyPrefix = 'policy';

function queueKey(key: ObjectKey): ObjectKey {
  return `${policyPrefix}/${key}`;
}

function targetKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
