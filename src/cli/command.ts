import type { SignalSource } from '../lib/shutdown.ts';

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
