import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** How a build of the test cluster ended; `cannot`: this machine lacks what it needs, and was told what. */
export type ClusterBuild = 'built' | 'cannot' | 'failed';

const script = join(import.meta.dirname, '..', 'test', 'cluster', 'build.sh');
const outcomes: Readonly<Record<number, ClusterBuild>> = { 0: 'built', 3: 'cannot' };

/**
 * Builds the test cluster from Go modules, where that is not done yet.
 *
 * @param what  `all` with the programs of a node, or the control plane alone.
 */
export function buildTestCluster(what: 'all' | 'control-plane'): ClusterBuild {
  const { status } = spawnSync(script, [what], { stdio: ['ignore', 'inherit', 'inherit'] });
  return outcomes[status ?? -1] ?? 'failed';
}
