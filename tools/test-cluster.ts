import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** How a build of the test cluster ended; `cannot`: this machine lacks what it needs, and was told what. */
export type ClusterBuild = 'built' | 'cannot' | 'failed';

const folder = join(import.meta.dirname, '..', 'test', 'cluster');
const outcomes: Readonly<Record<number, ClusterBuild>> = { 0: 'built', 3: 'cannot' };

/**
 * Builds the test cluster from Go modules, where that is not done yet.
 *
 * @param what  `all` with the programs of a node, or the control plane alone.
 */
export function buildTestCluster(what: 'all' | 'control-plane'): ClusterBuild {
  const outcome = outcomes[run('build.sh', what)] ?? 'failed';
  if (outcome !== 'built') return outcome;
  return run('fetch-crds.sh') === 0 ? 'built' : 'failed';
}

/** Runs a script of the test cluster and returns its exit code. */
function run(script: string, ...args: readonly string[]): number {
  return spawnSync(join(folder, script), args, { stdio: ['ignore', 'inherit', 'inherit'] }).status ?? -1;
}
