import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How many tests of a run did what. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** What is run, and for how long at most. */
export type MochaRun = {
  /** Arguments of mocha, e.g. the files; the configuration file counts unless they say otherwise. */
  readonly args: readonly string[];
  /** Milliseconds after which the run is ended and counts as failed. */
  readonly timeoutMs: number;
  /** Goes before mocha's command, e.g. `unshare --net --`. */
  readonly wrapper?: readonly string[];
};

const root = join(import.meta.dirname, '..');

/** Runs mocha in a process of its own, its report on our output. A run that hangs or dies counts as a failure. */
export async function runMocha({ args, timeoutMs, wrapper = [] }: MochaRun): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-mocha-'));
  const file = join(folder, 'counts.json');
  const reporter = [
    '--reporter',
    join(root, 'tools', 'counting-reporter.ts'),
    '--reporter-option',
    `file=${file}`,
  ];
  const mocha = [
    process.execPath,
    join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    ...reporter,
    ...args,
  ];
  const [command = '', ...rest] = [...wrapper, ...mocha];
  const child = spawn(command, rest, { cwd: root, stdio: 'inherit' });
  const timer = setTimeout(() => {
    process.stdout.write(`\nended after ${String(timeoutMs / 1000)} s: the tests hang\n`);
    child.kill('SIGKILL');
  }, timeoutMs);
  process.on('SIGINT', letMochaEnd);
  const [code] = (await once(child, 'exit')) as [number | null];
  clearTimeout(timer);
  process.off('SIGINT', letMochaEnd);
  const counts = readCounts(file);
  rmSync(folder, { recursive: true });
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Ctrl-C reaches mocha as well, which ends what its tests started; we wait for that. */
function letMochaEnd(): void {
  process.stdout.write('\ninterrupted: waiting for the tests to end\n');
}

function readCounts(file: string): Counts {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Counts;
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }; // it never came to its end
  }
}

/** `counts` as the closing line of a run. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  const done = `${String(passed)} passed, ${String(failed)} failed`;
  return skipped === 0 ? done : `${done}, ${String(skipped)} skipped`;
}

/** The exit code of a run: a run without a test has failed. */
export function exitCode({ passed, failed }: Counts): number {
  return failed > 0 || passed === 0 ? 1 : 0;
}
