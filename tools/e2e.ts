import { join } from 'node:path';
import { closingLine, type Counts, exitCode, runMocha } from './mocha.ts';
import { ownNetwork, prepareNode } from './node.ts';

const timeoutMs = 30 * 60_000;
/** `full` also runs the tests that take minutes. */
const folder = process.argv.includes('full') ? ['e2e', 'full'] : ['e2e'];
const config = join(import.meta.dirname, '..', 'test', ...folder, 'mocharc.json');

function skipped(reason: string): Counts {
  process.stdout.write(`skipped: e2e: ${reason}\n`);
  return { passed: 0, failed: 0, skipped: 1 };
}

async function e2e(): Promise<Counts> {
  const node = await prepareNode();
  if (node === 'failed') return { passed: 0, failed: 1, skipped: 0 };
  if (node !== 'ready') return skipped(node.cannot);
  return (await runMocha({ args: ['--config', config], timeoutMs, wrapper: ownNetwork })).counts;
}

const counts = await e2e();
process.stdout.write(`${closingLine(counts)}\n`);
process.exitCode = counts.skipped > 0 && counts.failed === 0 ? 0 : exitCode(counts);
