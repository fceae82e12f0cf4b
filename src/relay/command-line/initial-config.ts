import { environmentConfig, environmentName } from '../../config/environment-config.ts';
import { parseRelayConfig, relayConfig, type ParsedConfig } from '../../config/parsed-config.ts';
import { readConfig, type ConfigSource } from '../config-file/read-config.ts';
import type { RelayFlags } from './flags.ts';

/** What the relay starts with. */
export type FirstConfig = {
  readonly parsed: ParsedConfig;
  /** What was read, and where; absent where nothing is to be followed. */
  readonly file?: { readonly path: string; readonly source: ConfigSource };
};

/**
 * The configuration in `REALM_CONF`, which then stands above the command line.
 *
 * @param value  of the variable; undefined where it is not set.
 * @param tell   is told why a value that is no configuration is ignored.
 * @throws ConfigError
 */
export function variableConfig(
  value: string | undefined,
  tell: (line: string) => void,
): FirstConfig | undefined {
  if (value === undefined) return undefined;
  const config = environmentConfig(value);
  if ('parsed' in config) return config;
  for (const { what, remedy } of config.ignored) {
    tell(`${environmentName}: ${what}, so it is ignored and the command line counts: ${remedy}`);
  }
  return undefined;
}

/**
 * The configuration that the command line gives or names.
 *
 * @throws ConfigError, ConfigFileError
 */
export async function commandLineConfig(flags: RelayFlags): Promise<FirstConfig> {
  const { config: path, endpoint, overrides } = flags;
  if (path === undefined) {
    return { parsed: relayConfig({ endpoints: [endpoint] }, 'command line', overrides) };
  }
  const source = await readConfig(path);
  return { parsed: parseRelayConfig(source.texts, overrides), file: { path, source } };
}
