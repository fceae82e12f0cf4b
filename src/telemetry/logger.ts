import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from '../lib/log-level.ts';

export type { Logger };

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
