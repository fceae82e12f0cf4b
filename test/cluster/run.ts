import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Command } from './binaries.ts';

/** The output and the exit code of a program. */
export type Finished = {
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code; -1 if a signal ended it. */
  readonly code: number;
};

/** Options for running a program. */
export type RunOptions = {
  /** Its standard input; empty by default. */
  readonly stdin?: string;
  /** Environment variables besides our own. */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds after which it is killed; 60,000 by default. */
  readonly timeoutMs?: number;
};

/**
 * Runs a program to its end.
 *
 * @throws the error of `spawn` if it cannot be started.
 */
export async function run([file, ...args]: Command, options: RunOptions = {}): Promise<Finished> {
  const child = spawn(file, args, {
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  child.stdin.on('error', () => undefined); // it may not read its input
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
 * @returns its standard output.
 * @throws Error with its standard error.
 */
export async function runOrThrow(command: Command, options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(command, options);
  if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${String(code)}: ${stderr.trim()}`);
  return stdout;
}
