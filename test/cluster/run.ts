import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Command } from './binaries.ts';

/** What a program printed and how it ended. */
export type Finished = {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; -1 where a signal ended it. */
  readonly code: number;
};

/** What a program runs with. */
export type RunOptions = {
  /** What it reads from standard input; nothing unless told. */
  readonly stdin?: string;
  /** Environment variables beside our own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds after which it is killed; 60,000 unless told. */
  readonly timeoutMs?: number;
};

/**
 * Runs a program to its end.
 *
 * @throws the error of `spawn` where it cannot be run at all.
 */
export async function run([file, ...args]: Command, options: RunOptions = {}): Promise<Finished> {
  const child = spawn(file, args, {
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => undefined); // it need not read what we write
  child.stdin.end(options.stdin ?? '');
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { stdout, stderr, code: code ?? -1 };
}

/**
 * Runs a program that must succeed.
 *
 * @returns what it printed on standard output.
 * @throws Error with what it printed on standard error.
 */
export async function runOrThrow(command: Command, options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${String(code)}: ${stderr.trim()}`);
  return stdout;
}
