import { environmentConfig, environmentName } from '../../config/environment-config.ts';
import { parseRelayConfig, relayConfig, type ParsedConfig } from '../../config/parsed-config.ts';
import { ReadingMemory } from '../../config/reading-memory.ts';
import { readConfig, type ConfigSource } from '../config-file/read-config.ts';
import type { RelayFlags } from './flags.ts';

/** A file or folder of configuration, and what was read there. */
export type ConfigFile = {
  readonly path: string;
  readonly source: ConfigSource;
  readonly memory: ReadingMemory;
};

/** The configuration that the relay starts with. */
export type InitialConfig = {
  readonly parsed: ParsedConfig;
  /** Where it was read; absent if there is no file to follow. */
  readonly file?: ConfigFile;
};

/**
 * The configuration in `REALM_CONF`, which overrides the command line.
 *
 * @param value  of the variable; undefined if it is not set.
 * @param print  prints why a value that is no configuration is ignored.
 * @throws ConfigError
 */
export function variableConfig(
  value: string | undefined,
  print: (line: string) => void,
): InitialConfig | undefined {
  if (value === undefined) return undefined;
  const config = environmentConfig(value);
  if ('parsed' in config) return config;
  for (const { what, remedy } of config.ignored) {
    print(`${environmentName}: ${what}; it is ignored and the command line applies: ${remedy}`);
  }
  return undefined;
}

/**
 * The configuration that the command line gives or names.
 *
 * @throws ConfigError, ConfigFileError
 */
export async function commandLineConfig(flags: RelayFlags): Promise<InitialConfig> {
  const { config: path, endpoint, overrides, warnings } = flags;
  const source = 'command line';
  const withWarnings = (parsed: ParsedConfig): ParsedConfig => ({
    ...parsed,
    warnings: [...warnings.map((warning) => ({ ...warning, source })), ...parsed.warnings],
  });
  if (path === undefined) {
    return { parsed: withWarnings(relayConfig({ endpoints: [endpoint] }, source, overrides)) };
  }
  const read = await readConfig(path);
  const memory = new ReadingMemory();
  const parsed = withWarnings(parseRelayConfig(read.texts, overrides, memory));
  return { parsed, file: { path, source: read, memory } };
}
