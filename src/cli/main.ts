#!/usr/bin/env node
import './require-node.ts';
import { RealmError } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import { runProgram } from '../telemetry/program.ts';
import type { Command, Io, TextStream } from './command.ts';
import type { CommandName } from './command-table.ts';
import { nearest } from '../lib/problem.ts';
import { UsageError } from '../lib/usage-error.ts';
import { ownValue } from '../lib/record.ts';
import { processIo } from './process-io.ts';

/** Each command is loaded only when it is called, so that a relay never loads the operator, nor the help of the others. */
const commands: Readonly<Record<CommandName, () => Promise<Command>>> = {
  operator: async () => {
    const { setHeapFlags } = await import('../lib/v8-flags.ts');
    setHeapFlags();
    return (await import('./operator.ts')).operator;
  },
  relay: async () => {
    const { runRelay } = await import('../relay/main.ts');
    const { env } = process;
    return (argv, { stdout, stderr, signals }) => runRelay(argv, { stdout, stderr, signals, env });
  },
  standalone: async () => (await import('./standalone.ts')).standalone,
  validate: async () => (await import('./validate.ts')).validate,
  render: async () => (await import('./render.ts')).render,
  import: async () => (await import('./import.ts')).importRealm,
  doctor: async () => (await import('./doctor.ts')).doctor,
  top: async () => (await import('./top.ts')).top,
  completion: async () => (await import('./completion.ts')).completion,
};

/** What is printed without loading a command, both as a word and as an option. */
const texts: Readonly<Record<string, () => Promise<string>>> = {
  help: overview,
  h: overview,
  version: () => Promise.resolve(`${version}\n`),
  v: () => Promise.resolve(`${version}\n`),
};

/** Runs the command that `argv` names; see {@link Command} for the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '', ...rest] = argv;
  const text = ownValue(texts, name.replace(/^--?/, ''));
  if (text !== undefined) return print(io.stdout, await text(), 0);
  const load = ownValue(commands, name);
  if (load === undefined) return print(io.stderr, await unknownCommand(name), 2);
  const run = await load();
  const options = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined);
  if (options.includes('--help') || options.includes('-h')) return print(io.stdout, await usage(name), 0);
  try {
    return await run(rest, io);
  } catch (error) {
    return failure(error, name, io);
  }
}

/** Prints why a command failed. @throws `error` if it is not one of ours. */
async function failure(error: unknown, name: string, { stderr }: Io): Promise<number> {
  if (!(error instanceof RealmError)) throw error;
  const isUsage = error instanceof UsageError;
  const help = isUsage ? `\n${await usage(name)}` : '';
  return print(stderr, `realm-operator ${name}: ${withCause(error)}\n${help}`, isUsage ? 2 : 1);
}

async function overview(): Promise<string> {
  return (await import('./command-table.ts')).overviewText();
}

async function usage(name: string): Promise<string> {
  const { commandUsage } = await import('./command-table.ts');
  return commandUsage(name);
}

async function unknownCommand(name: string): Promise<string> {
  if (name === '') return `realm-operator: give a command\n\n${await overview()}`;
  const near = nearest(name, [...Object.keys(commands), 'version', 'help']);
  const meant = near === undefined ? '' : `: did you mean "${near}"?`;
  return `realm-operator: unknown command "${name}"${meant}\n\n${await overview()}`;
}

/** Message and cause: a message does not repeat its cause, and people need both. */
function withCause({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}

function print(stream: TextStream, text: string, code: number): number {
  stream.write(text);
  return code;
}

/** How long an operator that has ended waits for what it left behind. */
const lingerMs = 1_000;

if (import.meta.main) {
  const argv = process.argv.slice(2);
  await runProgram(() => main(argv, processIo(argv[0] ?? '')));
  // A connection that is being made to an API server that hangs would keep the operator alive.
  if (argv[0] === 'operator') setTimeout(() => process.exit(), lingerMs).unref();
}
