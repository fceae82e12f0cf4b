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

/** What is logged, and where to. */
export type LogConfig = Pick<Settings<typeof logKeys>, 'level'> & {
  /** `stderr` or the path of a file; absent = standard output. Of a configuration that is taken later it has no effect. */
  readonly output?: string;
};

/** What a log table asks for. */
export function logConfig(written: Written<typeof logKeys>): LogConfig {
  const { level, output } = settingsOf(logKeys, written);
  return { level, ...(output !== 'stdout' && { output }) };
}
