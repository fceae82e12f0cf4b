import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import type { Command } from './binaries.ts';

const lastLines = 15;

/**
 * A program that runs beside the tests, with its output in a file. It never outlives this process: the kernel kills it when
 * this process ends for any reason.
 */
export class Daemon {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #exit: Promise<unknown>;

  /** Starts `command`; its output is added to `logFile`. */
  constructor(name: string, command: Command, logFile: string) {
    this.name = name;
    this.#logFile = logFile;
    const log = openSync(logFile, 'a');
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    this.#exit = once(this.#child, 'exit').catch(() => undefined); // 'error': it was not started
    this.#child.unref(); // waiting for it must not keep the tests' process alive
  }

  /** Its process id; -1 if it could not be started. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** The last lines of its output. */
  lastOutput(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lastLines).join('\n');
  }

  /** Why it no longer runs, with the last lines of its output; undefined while it does. */
  endReason(): Error | undefined {
    const { exitCode, signalCode, pid } = this.#child;
    if (exitCode === null && signalCode === null && pid !== undefined) return undefined;
    return new Error(`${this.name} has ended (${this.#logFile}):\n${this.lastOutput()}`);
  }

  /** Sends it `signal`. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends SIGTERM, kills it after `graceMs`, and resolves when it has ended. A second call does nothing. */
  async stop(graceMs = 10_000): Promise<void> {
    if (this.#child.pid === undefined) return;
    this.#child.ref();
    this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#exit;
    clearTimeout(killer);
  }
}
