import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { durationText } from './duration.ts';

/** The result of a build of the test cluster; `cannot`: this machine lacks requirements, which were printed. */
export type ClusterBuild = 'built' | 'cannot' | 'failed';

const folder = join(import.meta.dirname, '..', 'test', 'cluster');
const outcomes: Readonly<Record<number, ClusterBuild>> = { 0: 'built', 3: 'cannot' };

/**
 * Builds the test cluster from Go modules, unless it is up to date, and prints its steps and the time.
 *
 * @param what  `all` includes the programs of a node; `control-plane` does not.
 */
export async function buildTestCluster(what: 'all' | 'control-plane'): Promise<ClusterBuild> {
  const startMs = performance.now();
  const modules = { downloaded: 0 };
  const outcome = outcomes[await run(modules, 'build.sh', what)] ?? 'failed';
  if (outcome !== 'built') return outcome;
  if ((await run(modules, 'fetch-crds.sh')) !== 0) return 'failed';
  if ((await run(modules, '../github/build.sh')) !== 0) return 'failed';
  const took = durationText(performance.now() - startMs);
  print(`ready after ${took}, ${String(modules.downloaded)} Go modules downloaded`);
  return 'built';
}

/** Runs a script of the test cluster and returns its exit code. Prints only the first of the modules that Go downloads. */
async function run(
  modules: { downloaded: number },
  script: string,
  ...args: readonly string[]
): Promise<number> {
  const child = spawn(join(folder, script), args, { stdio: ['ignore', 'inherit', 'pipe'] });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!line.startsWith('go: downloading ')) {
      process.stdout.write(`${line}\n`);
      return;
    }
    if (modules.downloaded === 0) print('downloading Go modules, which takes minutes');
    modules.downloaded += 1;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? -1;
}

function print(line: string): void {
  process.stdout.write(`test cluster: ${line}\n`);
}
