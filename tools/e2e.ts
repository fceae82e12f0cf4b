import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { closingLine, type Counts, exitCode, runMocha } from './mocha.ts';
import { ownNetwork, prepareNode } from './node.ts';

const timeoutMs = 30 * 60_000;
/** `full` also runs the tests that take minutes, `guides` only the commands of the documentation. */
const [which] = process.argv.slice(2);
const folder = which === undefined ? ['e2e'] : ['e2e', which];
const config = join(import.meta.dirname, '..', 'test', ...folder, 'mocharc.json');

function skipped(reason: string): Counts {
  process.stdout.write(`skipped: e2e: ${reason}\n`);
  return { passed: 0, failed: 0, skipped: 1 };
}

/** Builds Flux, without which its tests are skipped; false if that fails on a machine that has what it needs. */
function buildFlux(): boolean {
  const script = join(import.meta.dirname, '..', 'test', 'cluster', 'build-flux.sh');
  const { status } = spawnSync(script, { stdio: 'inherit' });
  return status === 0 || status === 3;
}

async function e2e(): Promise<Counts> {
  const node = await prepareNode();
  if (node === 'failed') return { passed: 0, failed: 1, skipped: 0 };
  if (node !== 'ready') return skipped(node.cannot);
  if (which === 'full' && !buildFlux()) return { passed: 0, failed: 1, skipped: 0 };
  return (await runMocha({ args: ['--config', config], timeoutMs, wrapper: ownNetwork })).counts;
}

const counts = await e2e();
process.stdout.write(`${closingLine(counts)}\n`);
process.exitCode = counts.skipped > 0 && counts.failed === 0 ? 0 : exitCode(counts);
