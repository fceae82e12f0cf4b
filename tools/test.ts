import { closingLine, exitCode, runMocha } from './mocha.ts';
import { buildTestCluster, type ClusterBuild } from './test-cluster.ts';

const timeoutMs = 15 * 60_000;

/** Builds the control plane that some suites run against; where that cannot be, they are skipped. */
function buildControlPlane(): ClusterBuild {
  if ((process.env['KUBEBUILDER_ASSETS'] ?? '') !== '') return 'built';
  const build = buildTestCluster('control-plane');
  if (build === 'cannot')
    process.stdout.write('no control plane here: the suites that need one are skipped\n');
  return build;
}

const build = buildControlPlane();
const counts = await runMocha({ args: process.argv.slice(2), timeoutMs });
if (build === 'failed') process.stdout.write('failed: the build of the test cluster\n');
const all = build === 'failed' ? { ...counts, failed: counts.failed + 1 } : counts;
process.stdout.write(`${closingLine(all)}\n`);
process.exitCode = exitCode(all);
