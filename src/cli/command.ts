import { isFault, parseSocketAddress, type SocketAddress } from '../config/address.ts';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { asError } from '../lib/errors.ts';
import type { SignalSource } from '../lib/shutdown.ts';
import { UsageError } from '../lib/usage-error.ts';

/** What a command may use of its process; tests hand in their own. */
export type Io = {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** Emits SIGTERM and SIGINT: `process`. */
  readonly signals: SignalSource;
};

/**
 * One command of `realm-operator`.
 *
 * @param argv  the arguments after the command's name.
 * @returns the exit code: 0 = done, 1 = the input is not valid or something failed, 2 = wrong usage.
 */
export type Command = (argv: readonly string[], io: Io) => Promise<number>;

/**
 * The options in `argv`; every command takes `--help`.
 *
 * @throws UsageError for an unknown option, a missing value, or an argument that is no option.
 */
export function parseOptions<T extends ParseArgsOptionsConfig>(argv: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(asError(error).message);
  }
}

/**
 * Where `--admin` wants the admin server.
 *
 * @returns undefined for `off`.
 * @throws UsageError
 */
export function adminAddress(text: string): SocketAddress | undefined {
  if (text === 'off') return undefined;
  const address = parseSocketAddress(text);
  if (isFault(address)) throw new UsageError(`--admin: "${text}" ${address.what}: ${address.remedy}, or off`);
  return address;
}
