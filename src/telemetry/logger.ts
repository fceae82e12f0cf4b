import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** Every level, from nothing to everything; the words of Realm and of the `logLevel` field. */
export const logLevels = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

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
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
