import { availableParallelism } from 'node:os';
import { durationText } from './duration.ts';
import { closingLine, type Counts, exitCode, runMocha, sum } from './mocha.ts';
import { buildTestCluster, type ClusterBuild } from './test-cluster.ts';
import { testKinds, type TestKind } from './test-kinds.ts';

const timeoutMs = 15 * 60_000;
/** How many kinds run side by side: one more than there are processors, since tests wait more than they compute. */
const lanes = Math.min(4, availableParallelism() + 1);
const startMs = performance.now();

/** Builds the control plane that some tests run against; on a machine where that cannot be, they are skipped. */
async function buildControlPlane(): Promise<ClusterBuild> {
  if ((process.env['KUBEBUILDER_ASSETS'] ?? '') !== '') return 'built';
  const build = await buildTestCluster('control-plane');
  if (build === 'cannot') print('no control plane on this machine: the tests that need one are skipped');
  if (build === 'failed') print('failed: the build of the test cluster');
  return build;
}

/** Runs the tests in these files, each of which is reported as it ends. */
async function runFiles(files: readonly string[]): Promise<Counts> {
  const build = await buildControlPlane();
  const { counts, output } = await runMocha({ args: files, timeoutMs });
  process.stdout.write(output);
  return sum([counts, countsOf(build)]);
}

/** Runs all tests, by kinds that run side by side; those that need no cluster beside its build. */
async function runAll(): Promise<Counts> {
  const waiting = testKinds();
  const counts: Counts[] = [];
  let isBuilt = false;
  const built = buildControlPlane().then((build) => {
    isBuilt = true;
    counts.push(countsOf(build));
  });
  process.on('SIGINT', () => {
    waiting.length = 0;
    print('interrupted: waiting for the tests to end');
  });
  const lane = async (): Promise<void> => {
    while (waiting.length > 0) {
      const index = waiting.findIndex(({ needsCluster }) => isBuilt || !needsCluster);
      const [kind] = index < 0 ? [] : waiting.splice(index, 1);
      if (kind === undefined) await built;
      else counts.push(await runKind(kind));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  await built;
  return sum(counts);
}

/** Runs the tests of a kind, which is reported when all of them have ended. */
async function runKind({ title, files }: TestKind): Promise<Counts> {
  const begunMs = performance.now();
  print(`started: ${title}: ${String(files.length)} files`);
  const { counts, output } = await runMocha({ args: files, timeoutMs, report: 'failures' });
  const took = durationText(performance.now() - begunMs);
  print(`${counts.failed > 0 ? 'FAILED' : 'done'}: ${title}: ${closingLine(counts)}, in ${took}`);
  process.stdout.write(counts.failed > 0 ? output : skippedLines(output));
  return counts;
}

/** Of what tests and their programs printed, the suites that were skipped. */
function skippedLines(output: string): string {
  return (output.match(/^ +\d+ skipped of: .*\n/gm) ?? []).join('');
}

/** A build that failed counts as a test that did. */
function countsOf(build: ClusterBuild): Counts {
  return { passed: 0, failed: build === 'failed' ? 1 : 0, skipped: 0 };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const files = process.argv.slice(2);
const counts = await (files.length > 0 ? runFiles(files) : runAll());
print(`in ${durationText(performance.now() - startMs)}`);
print(closingLine(counts));
process.exitCode = exitCode(counts);
