import type { Edge } from '../operator/edge.ts';
import type { FaultProxy } from '../operator/fault-proxy.ts';
import type { User } from './scenarios.ts';
import { differences, podTemplates, type Snapshot, snapshot, writtenPaths } from './snapshot.ts';

/** The run of a scenario without a fault, with which all others have to agree. */
export type CalmRun = {
  readonly found: Snapshot;
  /** What the operator wrote, as `METHOD path`. */
  readonly paths: ReadonlySet<string>;
  /** The Pod templates that it wrote. */
  readonly templates: ReadonlySet<string>;
};

/** The result of a run with faults. */
export type Outcome = {
  /** How many faults there were. */
  readonly faults: number;
  /** What is not as in the calm run, a line each; none if all is well. */
  readonly violations: readonly string[];
};

/** A run of a scenario, and the proxy that sees what its operator writes. */
export type WatchedRun = Pick<User, 'until'> & { readonly edge: Edge; readonly proxy: FaultProxy };

/** What the namespace of `run` holds now. */
export function contents({ edge }: WatchedRun): Promise<Snapshot> {
  return snapshot(edge.controlPlane, edge.namespace);
}

/** The calm run that `run` was, with what its namespace holds at the end. */
export function calmRunOf({ edge, proxy: { answered } }: WatchedRun, found: Snapshot): CalmRun {
  return { found, paths: writtenPaths(answered, edge.namespace), templates: podTemplates(answered) };
}

/** What the namespace does not hold as after the calm run, once it has had the time to become so. */
export async function unlikeContents(run: WatchedRun, calm: CalmRun): Promise<string[]> {
  let found: string[] = [];
  await run
    .until('the cluster is as after the calm run', async () => {
      found = differences(calm.found, await contents(run));
      return found.length === 0;
    })
    .catch(() => undefined);
  return found;
}

/** What the operator has written that it does not write in a calm run. */
export function unlikeWrites(run: WatchedRun, calm: CalmRun): string[] {
  const { paths, templates } = calmRunOf(run, calm.found);
  const others = [...paths].filter((path) => !calm.paths.has(path));
  const replaced = [...templates].filter((template) => !calm.templates.has(template));
  return [
    ...others.map((path) => `${path} is not written in a calm run`),
    ...replaced.map((template) => `Pods are replaced for ${template}`),
  ];
}
