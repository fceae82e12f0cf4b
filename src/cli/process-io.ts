import { logOutput } from '../telemetry/log-outputs.ts';
import type { Io, TextStream } from './command.ts';

/** Opened at the first write: Node makes a pipe non-blocking for all programs that share it. */
const stdout: TextStream = { write: (text) => process.stdout.write(text) };
const stderr: TextStream = { write: (text) => process.stderr.write(text) };

/**
 * What `command` uses of this process. A command that serves must never wait for the reader of its messages; any other
 * waits, and prints all of them.
 */
export function processIo(command: string): Io {
  return {
    get stdin() {
      return process.stdin;
    },
    stdout: command === 'standalone' ? logOutput('stdout') : stdout,
    stderr: ['relay', 'standalone'].includes(command) ? logOutput('stderr') : stderr,
    signals: process,
  };
}
