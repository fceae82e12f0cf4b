import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The numbers of tests in a run, by result. */
export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** The counts of a run so far. The running test counts as failed, because it may crash the run. */
export type Progress = Counts & {
  /** The title of the running test; absent once all have ended. */
  readonly running?: string;
};

/** The output of a run: every test as it ends, or only those that fail. */
export type Report = 'everything' | 'failures';

/** The tests to run, and their time limit. */
export type MochaRun = {
  /** Arguments of mocha, e.g. the files; the configuration file applies by default. */
  readonly args: readonly string[];
  /** Milliseconds after which the run is killed and counts as failed. */
  readonly timeoutMs: number;
  /** `everything` by default. */
  readonly report?: Report;
  /** A prefix of mocha's command, e.g. `unshare --net --`. */
  readonly wrapper?: readonly string[];
};

/** The result of a run. */
export type MochaResult = {
  readonly counts: Counts;
  /** Its output; '' if it reported everything, which was printed at once. */
  readonly output: string;
};

const root = join(import.meta.dirname, '..');

/** Runs mocha in a child process. A run that hangs or dies counts as a failure. */
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

/** Resolves with the reason of an abnormal end; '' if it ended normally. */
async function ended(run: MochaRun, progressFile: string, output: number | 'inherit'): Promise<string> {
  const [command = '', ...args] = commandLine(run, progressFile);
  const limit = { timeout: run.timeoutMs, killSignal: 'SIGKILL' } as const;
  const child = spawn(command, args, { cwd: root, stdio: ['inherit', output, output], ...limit });
  // Ctrl-C also reaches mocha, which ends the programs of its tests; we wait for that.
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
    return { passed: 0, failed: 1, skipped: 0, running: 'the files of the tests' }; // no test was started
  }
}

/** The sum of `all`. */
export function sum(all: readonly Counts[]): Counts {
  const total = (of: keyof Counts): number => all.reduce((counted, counts) => counted + counts[of], 0);
  return { passed: total('passed'), failed: total('failed'), skipped: total('skipped') };
}

/** `counts` as the last line of a run. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  const done = `${String(passed)} passed, ${String(failed)} failed`;
  return skipped === 0 ? done : `${done}, ${String(skipped)} skipped`;
}

/** The exit code of a run; a run without tests counts as failed. */
export function exitCode({ passed, failed }: Counts): number {
  return failed > 0 || passed === 0 ? 1 : 0;
}
