import type { Applied } from '../kube/apply.ts';
import type { KubeObject } from '../kube/object.ts';
import type { Recreations } from '../kube/recreations.ts';
import type { Rivalry } from '../kube/rivals.ts';
import type { DesiredObject } from '../desired/desired-objects.ts';
import type { Platform } from '../desired/platform.ts';
import type { StackAnswer } from './cluster-stack.ts';
import type { NodeSharingCluster } from './node-sharing.ts';
import type { OwnerId } from './owners.ts';
import type { Verdict } from './verdict.ts';
import type { WatchProblem } from './watches.ts';

// The contracts between the files that apply the objects of a relay: what they use of the cluster, what they hand each
// other, and what they return.

/** What exists under the name of a wanted object. Rejects if it belongs to someone else, or could not be read. */
export type Observed = Promise<KubeObject | undefined>;

/** A wanted object, and what exists under its name. */
export type WantedObject = { readonly object: DesiredObject; readonly observed: Observed };

/** What applying the objects of a relay uses of the cluster. */
export type ApplyCluster = NodeSharingCluster & {
  /** What exists under the name of `desired`; see `Applier.observe`. */
  observe: (desired: KubeObject) => Observed;
  /** Applies `desired`; `observed` is what `observe` returned. */
  apply: (desired: KubeObject, observed: Observed) => Promise<Applied>;
  /** Keeps the number of Pods when a Deployment is about to be applied that no longer sets it. */
  keepReplicas: (desired: KubeObject, observed: Observed) => Promise<void>;
  delete: (object: KubeObject) => Promise<void>;
  /** What is created again after it was deleted. */
  readonly recreations: Pick<Recreations, 'found' | 'deleted' | 'written' | 'settling'>;
  /** Whether Services of the cluster can have both families, tried on `service`; see `ClusterStackProbe`. */
  stackOf: (service: KubeObject) => Promise<StackAnswer>;
  /** The watches of objects of these kinds in `namespace` that do not work. */
  watchProblemsOf: (kinds: readonly string[], namespace: string) => readonly WatchProblem[];
  /** What `owner` owns: this object, not another one of its name. */
  ownedBy: (owner: OwnerId) => KubeObject[];
};

/** What applying the objects of a relay works with. */
export type ApplyContext = {
  readonly cluster: ApplyCluster;
  readonly platform: Platform;
  /** Called after each write of an object; `outcome` is `created`, `updated`, `repaired` or `deleted`. */
  readonly onWritten: (outcome: string, object: KubeObject) => void;
  /** Called for each object that others undo again and again. */
  readonly onContested: (rivalry: Rivalry) => void;
};

/** The result of applying the objects of a relay, and the error behind it if the next try should back off. */
export type ApplyResult = {
  readonly verdict: Verdict;
  readonly error?: Error;
  /** When to look again, in milliseconds, if that is sooner than usual. */
  readonly againMs?: number;
};
