import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { RealmError } from '../lib/errors.ts';
import type { LogLevel } from '../lib/log-level.ts';

export type { Logger };

/** The log cannot be written where it should go; `cause` is the reason. */
class LogOutputError extends RealmError {
  readonly code = 'REALM_LOG_UNWRITABLE';
}

/**
 * Where log lines go.
 *
 * @param output  `stdout`, `stderr`, or the path of a file, which is made where it is not there, and appended to.
 * @throws LogOutputError
 */
export function logDestination(output = 'stdout'): DestinationStream {
  const streams: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };
  try {
    return pino.destination({ dest: streams[output] ?? output, append: true, sync: true });
  } catch (cause) {
    throw new LogOutputError(`the log cannot be written to ${output}`, { cause });
  }
}

/**
 * A logger that writes one JSON object a line.
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
