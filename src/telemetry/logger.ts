import { isatty } from 'node:tty';
import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { RealmError } from '../lib/errors.ts';
import type { LogLevel } from '../lib/log-level.ts';
import { readableLine } from './readable-line.ts';

export type { Logger };

/** The log cannot be written where it should go; `cause` is the reason. */
class LogOutputError extends RealmError {
  readonly code = 'REALM_LOG_UNWRITABLE';
}

/**
 * Where log lines go; on a terminal they are written for people, elsewhere as they are.
 *
 * @param output  `stdout`, `stderr`, or the path of a file, which is made where it is not there, and appended to.
 * @throws LogOutputError
 */
export function logDestination(output = 'stdout'): DestinationStream {
  const streams: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
  const dest = streams[output] ?? output;
  try {
    const destination = pino.destination({ dest, append: true, sync: true });
    if (typeof dest === 'string' || !isatty(dest)) return destination;
    return { write: (line) => destination.write(readableLine(line)) };
  } catch (cause) {
    throw new LogOutputError(`the log cannot be written to ${output}`, { cause });
  }
}

/**
 * A logger that writes one JSON object a line, or a readable one on a terminal.
 *
 * The message is a constant sentence, what varies is in fields, an error is under `err`; the field names
 * are those of docs/architecture.md.
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
      serializers: { err: stdSerializers.err },
    },
    destination ?? logDestination(),
  );
}
