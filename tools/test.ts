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
const files = process.argv.slice(2);
const counts = await runMocha({ args: files.length > 0 ? files : ['test/**/*.test.ts'], timeoutMs });
if (build === 'failed') process.stdout.write('failed: the build of the test cluster\n');
const all = build === 'failed' ? { ...counts, failed: counts.failed + 1 } : counts;
process.stdout.write(`${closingLine(all)}\n`);
process.exitCode = exitCode(all);
