import { errorCode } from '../lib/errors.ts';
import { flushLogOutputs, logOutput } from '../telemetry/log-outputs.ts';
import type { Io, TextStream } from './command.ts';

/** Opened at the first write: Node makes a pipe non-blocking for all programs that share it. */
const stdout = printed('standard output', () => process.stdout);
const stderr = printed('standard error', () => process.stderr);

/**
 * A stream whose reader may leave early, as `head` does: the rest of the text is then lost without a word. If it cannot be
 * written for another reason, such as a full disk, the process ends with code 1.
 */
function printed(name: string, open: () => NodeJS.WriteStream): TextStream {
  let stream: NodeJS.WriteStream | undefined;
  return {
    write: (text) => {
      stream ??= open().on('error', (error) => {
        if (errorCode(error) === 'EPIPE') return;
        logOutput('stderr').write(`realm-operator: ${name} cannot be written: ${error.message}\n`);
        void flushLogOutputs().then(() => process.exit(1));
      });
      return stream.write(text);
    },
  };
}

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
