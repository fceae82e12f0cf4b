import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { closingLine, type Counts, exitCode, runMocha } from './mocha.ts';
import { buildTestCluster } from './test-cluster.ts';

const timeoutMs = 30 * 60_000;
/** `full`: with the tests that take minutes. */
const folder = process.argv.includes('full') ? ['e2e', 'full'] : ['e2e'];
const config = join(import.meta.dirname, '..', 'test', ...folder, 'mocharc.json');
// The tests' network is their own, so that the cluster's addresses are nobody else's.
const ownNetwork = ['unshare', '--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const programs = ['unshare', 'nsenter', 'setpriv', 'ip', 'nft', 'openssl', 'curl', 'sysctl'];

/** Why no node can run on this machine; undefined where one can. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'a node runs on Linux only';
  if (process.getuid?.() !== 0) return 'a node needs root';
  const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `a node needs ${missing.join(', ')}`;
  const namespaces = spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']);
  return namespaces.status === 0 ? undefined : 'this machine makes no namespaces';
}

function makeImage(): boolean {
  return spawnSync(join(import.meta.dirname, 'image.sh'), { stdio: 'inherit' }).status === 0;
}

function skipped(reason: string): Counts {
  process.stdout.write(`skipped: e2e: ${reason}\n`);
  return { passed: 0, failed: 0, skipped: 1 };
}

async function e2e(): Promise<Counts> {
  const reason = obstacle();
  if (reason !== undefined) return skipped(reason);
  const build = await buildTestCluster('all');
  if (build === 'cannot') return skipped('the test cluster cannot be built');
  if (build === 'failed' || !makeImage()) return { passed: 0, failed: 1, skipped: 0 };
  return (await runMocha({ args: ['--config', config], timeoutMs, wrapper: ownNetwork })).counts;
}

const counts = await e2e();
process.stdout.write(`${closingLine(counts)}\n`);
process.exitCode = counts.skipped > 0 && counts.failed === 0 ? 0 : exitCode(counts);
