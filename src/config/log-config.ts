import { oneOf, text } from '../lib/document-rules.ts';
import { logLevels } from '../lib/log-level.ts';
import { setting, settingsOf, type Settings, type Written } from './key-table.ts';

/** The keys of Realm's `[log]`. */
export const logKeys = {
  /** Default `info` (Realm: `off`). */
  level: setting('level', oneOf(logLevels), 'info'),
  /** `stdout`, the default, `stderr`, or the path of a file, which is appended to. */
  output: setting('output', text, 'stdout'),
};

/** The level of the log and its destination. */
export type LogConfig = Pick<Settings<typeof logKeys>, 'level'> & {
  /** `stderr` or the path of a file; absent = standard output. A reload does not change it, SIGHUP opens it again. */
  readonly output?: string;
};

/** The settings in a log table. */
export function logConfig(written: Written<typeof logKeys>): LogConfig {
  const { level, output } = settingsOf(logKeys, written);
  return { level, ...(output !== 'stdout' && { output }) };
}
