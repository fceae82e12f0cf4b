/** A program as a process, from its start to its end, which no log can stop. */
import { inspect } from 'node:util';
import { isSingleExecutable } from '../lib/own-command.ts';
import { ignoreUserSignals } from '../lib/user-signals.ts';
import { areLogOutputsStuck, flushLogOutputs, logOutput } from './log-outputs.ts';

/**
 * Runs this process's program, and sets the exit code to its result; the process then ends as soon as nothing is open.
 * An uncaught exception is printed to standard error, and the exit code is 1.
 */
export async function runProgram(program: () => Promise<number>): Promise<void> {
  ignoreUserSignals(process);
  process.on('uncaughtException', (error) => void crash(error)); // Node itself would wait for the reader of a full pipe
  const stayAlive = setInterval(() => undefined, 2 ** 31 - 1); // even while no socket is open, e.g. between two retries
  const code = await program().catch(crash);
  // Node's own teardown would restore the default action of signals, and a late one would then change the exit code.
  process.once('exit', (exitCode) => process.exit(exitCode));
  clearInterval(stayAlive);
  process.exitCode = code;
  await flushLogOutputs();
  if (areLogOutputsStuck()) exit(code);
}

/** Ends the process, whatever is open in it, once the log is written, or cannot be. */
async function exitProgram(code: number): Promise<never> {
  await flushLogOutputs();
  return exit(code);
}

function crash(error: unknown): Promise<never> {
  logOutput('stderr').write(`${inspect(error)}\n`);
  return exitProgram(1);
}

/** `process.exit` waits for the threads that write files, maybe for ever; a new program in place of this one does not. */
function exit(code: number): never {
  if (areLogOutputsStuck()) {
    const [file, ...args] = isSingleExecutable()
      ? ['/bin/sh', '-c', `exit ${String(code)}`]
      : [process.execPath, '--eval', `process.exitCode = ${String(code)}`];
    process.execve?.(file, [file, ...args], {});
  }
  return process.exit(code);
}
