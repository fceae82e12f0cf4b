import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { stringify } from 'smol-toml';
import { sourceDocument } from '../../config/config-text.ts';
import { mergedConfig } from '../../config/parsed-config.ts';
import { asError, RealmError } from '../../lib/errors.ts';
import { readConfig } from '../config-file/read-config.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { ownValue } from '../../lib/record.ts';

const usage = 'convert PATH [-t toml|json] [-o PATH]';

/** The converted file cannot be written. */
class OutputError extends RealmError {
  readonly code = 'REALM_OUTPUT_UNWRITABLE';
}

const writers: Readonly<Record<string, (document: object) => string>> = {
  toml: stringify,
  json: (document) => `${JSON.stringify(document, null, 2)}\n`,
};

/**
 * Rewrites a configuration, legacy or not, in Realm's present format: by default as TOML, and to standard output.
 *
 * @param argv  the arguments after `convert`.
 * @throws UsageError, ConfigFileError, ConfigError, OutputError
 */
export async function convert(
  argv: readonly string[],
  stdout: { write: (text: string) => unknown },
): Promise<void> {
  const { path, type, output } = options(argv);
  const write = ownValue(writers, type);
  if (write === undefined) throw new UsageError(`--type: "${type}" is neither toml nor json`);
  const { texts, folders } = await readConfig(path);
  const [text, ...more] = texts;
  if (text === undefined || more.length > 0 || folders.includes(path)) {
    throw new UsageError(`${path}: is a folder: give one file`);
  }
  const source = sourceDocument(text);
  mergedConfig([source], {}); // throws if it is invalid
  const converted = write(withoutNull(source.document) as object);
  if (output === undefined) stdout.write(converted);
  else await writeTo(output, converted);
}

function options(argv: readonly string[]): { path: string; type: string; output: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      args: argv.map((word) => word.replace(/^(-[to])=/, '$1')), // -t=json
      options: {
        type: { type: 'string', short: 't', default: 'toml' },
        output: { type: 'string', short: 'o' },
      },
      allowPositionals: true,
    });
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) throw new Error('give one file');
    return { path, type: values.type, output: values.output };
  } catch (error) {
    throw new UsageError(`${asError(error).message}: ${usage}`);
  }
}

/** TOML has no null; a key that is null is as good as absent. */
function withoutNull(value: unknown): unknown {
  const drop = (_key: string, part: unknown): unknown => (part === null ? undefined : part);
  return JSON.parse(JSON.stringify(value, drop)) as unknown;
}

async function writeTo(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new OutputError(`${path}: cannot be written`, { cause });
  }
}
