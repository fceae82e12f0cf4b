import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ownNetwork, prepareNode } from './node.ts';

// make conformance: builds the Gateway API's suite and runs it on a node; flags are those of test/conformance/run.ts.
const folder = join(import.meta.dirname, '..', 'test', 'conformance');

/** Runs a program to its end. @returns its exit code. */
function run(command: string, ...args: readonly string[]): number {
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}

function conformance(flags: readonly string[]): number {
  if (run(join(folder, 'build.sh')) !== 0) {
    process.stdout.write('failed: the build of the conformance suite, which needs Go and its module proxy\n');
    return 1;
  }
  const [wrapper = '', ...args] = ownNetwork;
  return run(wrapper, ...args, process.execPath, join(folder, 'run.ts'), ...flags);
}

const node = await prepareNode();
if (node !== 'ready' && node !== 'failed') {
  process.stdout.write(`skipped: conformance: ${node.cannot}\n0 passed, 0 failed, 1 skipped\n`);
  process.exitCode = 0;
} else process.exitCode = node === 'failed' ? 1 : conformance(process.argv.slice(2));
