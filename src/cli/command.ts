import { isFault, parseSocketAddress, type SocketAddress } from '../config/address.ts';
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { asError } from '../lib/errors.ts';
import type { SignalSource } from '../lib/shutdown.ts';
import { UsageError } from '../lib/usage-error.ts';

/** Takes text to print. */
export type TextStream = { readonly write: (text: string) => unknown };

/** What a command uses of its process; tests pass their own. */
export type Io = {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** Emits SIGTERM and SIGINT: `process`. */
  readonly signals: SignalSource;
};

/**
 * One command of `realm-operator`.
 *
 * @param argv  the arguments after the command's name.
 * @returns the exit code: 0 = success, 1 = the input is not valid or the command failed, 2 = wrong usage.
 */
export type Command = (argv: readonly string[], io: Io) => Promise<number>;

/**
 * Parses the options in `argv`; every command has `--help`.
 *
 * @throws UsageError for an unknown option, a missing value, or an argument that is not an option.
 */
export function parseOptions<T extends ParseArgsOptionsConfig>(argv: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(asError(error).message);
  }
}

/**
 * Parses the value of `--admin`: the address of the admin server.
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
