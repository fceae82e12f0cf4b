import { isatty } from 'node:tty';
import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { errorCode, RealmError } from '../lib/errors.ts';
import type { LogLevel } from '../lib/log-level.ts';
import { ownValue } from '../lib/record.ts';
import { readableLine } from './readable-line.ts';

export type { Logger };

/** The log destination cannot be opened; `cause` is the reason. */
class LogOutputError extends RealmError {
  readonly code = 'REALM_LOG_UNWRITABLE';
}

/**
 * Opens a destination for log lines. On a terminal they are made readable, elsewhere they stay JSON.
 *
 * @param output  `stdout`, `stderr`, or the path of a file, which is created if it does not exist, and appended to.
 * @throws LogOutputError
 */
export function logDestination(output = 'stdout'): DestinationStream {
  const streams: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
  const dest = ownValue(streams, output) ?? output;
  try {
    const destination = pino.destination({ dest, append: true, sync: true });
    if (typeof dest === 'string' || !isatty(dest)) return destination;
    return { write: (line) => destination.write(readableLine(line)) };
  } catch (cause) {
    throw new LogOutputError(`the log cannot be written to ${output}`, { cause });
  }
}

/**
 * A logger that writes one JSON object per line, or readable lines on a terminal.
 *
 * The message is a constant sentence, what varies is in fields, and an error is in `err`. docs/architecture.md lists the
 * field names.
 *
 * @param destination  where the lines go; standard output by default.
 */
export function createLogger(level: LogLevel, destination?: DestinationStream): Logger {
  return pino(
    {
      level: level === 'off' ? 'silent' : level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: loggedError },
    },
    destination ?? logDestination(),
  );
}

/**
 * What is logged of `error`: without its stack if it is one of operation, such as a refused connection, since where it was
 * noticed helps nobody and fills the log. The errors that Node throws at wrong calls have codes, too.
 */
function loggedError(error: Error): object {
  const { stack, ...rest } = stdSerializers.err(error);
  const code = errorCode(error);
  const isOfOperation = (code !== '' && !code.startsWith('ERR_')) || error.name === 'TimeoutError';
  return isOfOperation ? rest : { ...rest, stack };
}
