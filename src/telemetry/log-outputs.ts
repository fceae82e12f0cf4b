/** The log outputs of this process, each opened once, and their end with the process. */
import { isatty } from 'node:tty';
import { systemClock } from '../lib/clock.ts';
import { errorCode, RealmError } from '../lib/errors.ts';
import { ownValue } from '../lib/record.ts';
import { LogOutput } from './log-output.ts';
import { fileTarget, standardTarget, type StandardStream } from './log-target.ts';
import { readableLine } from './readable-line.ts';

/** The log cannot be opened; `cause` is the reason. */
class LogOutputError extends RealmError {
  readonly code = 'REALM_LOG_UNWRITABLE';
}

/** How long a start waits for the disk of its log, and an end for what is buffered. */
const openLimitMs = 1000;
const flushLimitMs = 500;

/** Errors of an open that pass without a change of the configuration: the disk is full, or out of reach. */
const passingErrors = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'EIO', 'ESTALE', 'ETIMEDOUT'];

const outputs = new Map<string, LogOutput>();

const streams: Readonly<Record<string, StandardStream>> = { stdout: 'stdout', stderr: 'stderr' };

const descriptors: Readonly<Record<StandardStream, number>> = { stdout: 1, stderr: 2 };

/**
 * A destination of log lines. On a terminal they are made readable, elsewhere they stay JSON. A file is opened in the
 * background; until that succeeds, lines are buffered and then dropped.
 *
 * @param name  `stdout`, `stderr`, or the path of a file, which is created if it does not exist, and appended to.
 */
export function logOutput(name = 'stdout'): LogOutput {
  const known = outputs.get(name);
  if (known !== undefined) return known;
  const stream = ownValue(streams, name);
  const options = {
    clock: systemClock,
    format: stream !== undefined && isatty(descriptors[stream]) ? readableLine : unchanged,
    dropReport: (lines: number, problem: string) =>
      `${JSON.stringify({ level: 'warn', time: new Date(), lines, problem, msg: 'log lines dropped' })}\n`,
  };
  const output =
    stream === undefined
      ? new LogOutput({ ...options, open: () => fileTarget(name) })
      : new LogOutput({ ...options, target: standardTarget(stream, descriptors[stream]) });
  outputs.set(name, output);
  return output;
}

function unchanged(line: string): string {
  return line;
}

/**
 * The same at the start of a program, where a wrong path is reported to the person who gave it.
 *
 * @throws LogOutputError if the file cannot be opened for a reason that does not pass, such as a missing folder.
 */
export async function openedLogOutput(name = 'stdout'): Promise<LogOutput> {
  const output = logOutput(name);
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    resolve(undefined);
  }, openLimitMs);
  const cause = await Promise.race([output.opened(), late]);
  clearTimeout(timer);
  if (cause === undefined || passingErrors.includes(errorCode(cause))) return output;
  output.close();
  outputs.delete(name);
  throw new LogOutputError(`the log cannot be written to ${name}`, { cause });
}

/** Writes what outputs have buffered, for at most half a second. */
export async function flushLogOutputs(): Promise<void> {
  await Promise.all([...outputs.values()].map((output) => output.flush(flushLimitMs)));
}

/** Whether a disk still has not answered: ending the process by `exit` would wait for it. */
export function areLogOutputsStuck(): boolean {
  return [...outputs.values()].some(({ isStuck }) => isStuck);
}
