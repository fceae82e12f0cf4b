import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino';
import { coalesced } from '../lib/coalesced.ts';
import { errorCode } from '../lib/errors.ts';
import type { LogLevel } from '../lib/log-level.ts';
import type { SignalSource } from '../lib/shutdown.ts';
import type { LogOutput } from './log-output.ts';
import { logOutput } from './log-outputs.ts';

export type { Logger };

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
    destination ?? logOutput(),
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

/**
 * Opens the file of a log again after its rotation, and logs how that went. Nothing happens if it is no file.
 *
 * @param log  writes to `output`.
 */
async function reopenLog(output: LogOutput, log: Logger): Promise<void> {
  if (!output.isFile) return;
  const err = await output.reopen();
  if (err === undefined) log.info('log file opened again');
  else log.error({ err }, 'log file could not be opened again, still writing to the previous one');
}

/**
 * Opens the file of a log again at each SIGHUP, for its rotation. Without a file, SIGHUP does nothing.
 */
export function reopenLogAtHangup(source: SignalSource, output: LogOutput, log: Logger): void {
  const reopen = coalesced(() => reopenLog(output, log));
  source.on('SIGHUP', () => void reopen());
}
