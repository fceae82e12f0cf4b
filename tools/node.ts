import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildTestCluster } from './test-cluster.ts';

/** The prefix of a command with its own network namespace, so that the cluster's addresses cannot collide with others. */
export const ownNetwork = ['unshare', '--net', '--', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];

const programs = ['unshare', 'nsenter', 'setpriv', 'ip', 'nft', 'openssl', 'curl', 'sysctl'];

/** Why no node can run on this machine; undefined if one can. */
function obstacle(): string | undefined {
  if (process.platform !== 'linux') return 'a node runs on Linux only';
  if (process.getuid?.() !== 0) return 'a node needs root';
  const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0) return `a node needs ${missing.join(', ')}`;
  const namespaces = spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']);
  return namespaces.status === 0 ? undefined : 'this machine makes no namespaces';
}

function buildImage(): boolean {
  return spawnSync(join(import.meta.dirname, 'image.sh'), { stdio: 'inherit' }).status === 0;
}

/** Builds what a node needs: `ready`, `failed`, or why this machine cannot run one. */
export async function prepareNode(): Promise<'ready' | 'failed' | { readonly cannot: string }> {
  const cannot = obstacle();
  if (cannot !== undefined) return { cannot };
  const build = await buildTestCluster('all');
  if (build === 'cannot') return { cannot: 'the test cluster cannot be built' };
  return build === 'failed' || !buildImage() ? 'failed' : 'ready';
}
