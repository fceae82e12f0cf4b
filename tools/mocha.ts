import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How many tests of a run did what. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The counts as far as a run has come, which count the test that runs as failed: it may be the last. */
export type Progress = Counts & {
  /** The title of the test that runs; none once all have ended. */
  readonly running?: string;
};

/** What a run prints: every test as it ends, or those alone that fail. */
export type Report = 'everything' | 'failures';

/** What is run, and for how long at most. */
export type MochaRun = {
  /** Arguments of mocha, e.g. the files; the configuration file counts unless they say otherwise. */
  readonly args: readonly string[];
  /** Milliseconds after which the run is ended and counts as failed. */
  readonly timeoutMs: number;
  /** `everything` by default. */
  readonly report?: Report;
  /** Goes before mocha's command, e.g. `unshare --net --`. */
  readonly wrapper?: readonly string[];
};

/** What came of a run. */
export type MochaResult = {
  readonly counts: Counts;
  /** What it printed; '' if it reported everything, which went to our output as it came. */
  readonly output: string;
};

const root = join(import.meta.dirname, '..');

/** Runs mocha in a process of its own. A run that hangs or dies counts as a failure. */
export async function runMocha(run: MochaRun): Promise<MochaResult> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-mocha-'));
  const [progressFile, outputFile] = [join(folder, 'progress.json'), join(folder, 'output')];
  const output = run.report === 'failures' ? openSync(outputFile, 'w') : undefined;
  const end = await ended(run, progressFile, output ?? 'inherit');
  if (output !== undefined) closeSync(output);
  const { running, ...counts } = readProgress(progressFile);
  const printed = output === undefined ? '' : readFileSync(outputFile, 'utf8');
  rmSync(folder, { recursive: true });
  const isUnfinished = running !== undefined;
  return {
    counts: end !== '' && counts.failed === 0 ? { ...counts, failed: 1 } : counts,
    output: isUnfinished ? `${printed}${end || 'ended'} in: ${running}\n` : printed,
  };
}

/** Resolves with why it ended as it should not; '' where it ended well. */
async function ended(run: MochaRun, progressFile: string, output: number | 'inherit'): Promise<string> {
  const [command = '', ...args] = commandLine(run, progressFile);
  const limit = { timeout: run.timeoutMs, killSignal: 'SIGKILL' } as const;
  const child = spawn(command, args, { cwd: root, stdio: ['inherit', output, output], ...limit });
  // Ctrl-C reaches mocha as well, which ends what its tests started; we wait for that.
  const stay = (): void => undefined;
  process.on('SIGINT', stay);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  process.off('SIGINT', stay);
  if (child.killed) return `the tests hang: ended after ${String(run.timeoutMs / 1000)} s`;
  return code === 0 ? '' : `mocha ended with ${String(signal ?? code)}`;
}

function commandLine({ args, report = 'everything', wrapper = [] }: MochaRun, file: string): string[] {
  const mocha = [process.execPath, join(root, 'node_modules', 'mocha', 'bin', 'mocha.js')];
  const reporter = ['--reporter', join(root, 'tools', 'counting-reporter.ts')];
  const options = [`file=${file}`, `report=${report}`].flatMap((option) => ['--reporter-option', option]);
  return [...wrapper, ...mocha, ...reporter, ...options, ...args];
}

function readProgress(file: string): Progress {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Progress;
  } catch {
    return { passed: 0, failed: 1, skipped: 0, running: 'the files of the tests' }; // it never came to a test
  }
}

/** The sum of `all`. */
export function sum(all: readonly Counts[]): Counts {
  const total = (of: keyof Counts): number => all.reduce((counted, counts) => counted + counts[of], 0);
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped') };
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
