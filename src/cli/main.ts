#!/usr/bin/env node
import './require-node.ts';
import { RealmError } from '../lib/errors.ts';
import { version } from '../lib/version.ts';
import { runProgram } from '../telemetry/program.ts';
import type { Command, Io, TextStream } from './command.ts';
import { UsageError } from '../lib/usage-error.ts';
import { ownValue } from '../lib/record.ts';
import { processIo } from './process-io.ts';

/** A command and its help. Each is loaded only when it is called, so that a relay never loads the operator. */
type Loaded = { readonly run: Command; readonly usage: string };

const commands: Readonly<Record<string, () => Promise<Loaded>>> = {
  operator: async () => {
    const { setHeapFlags } = await import('../lib/v8-flags.ts');
    setHeapFlags();
    const { operator: run, usage } = await import('./operator.ts');
    return { run, usage };
  },
  relay: async () => {
    const { setRelayHeapFlags } = await import('../lib/v8-flags.ts');
    setRelayHeapFlags();
    const [{ runRelay }, { helpText }] = await Promise.all([
      import('../relay/main.ts'),
      import('../relay/command-line/flag-table.ts'),
    ]);
    const { env } = process;
    return {
      run: (argv, { stdout, stderr, signals }) => runRelay(argv, { stdout, stderr, signals, env }),
      usage: helpText(),
    };
  },
  standalone: async () => {
    const { standalone: run, usage } = await import('./standalone.ts');
    return { run, usage };
  },
  validate: async () => {
    const { validate: run, usage } = await import('./validate.ts');
    return { run, usage };
  },
  render: async () => {
    const { render: run, usage } = await import('./render.ts');
    return { run, usage };
  },
  import: async () => {
    const { importRealm: run, usage } = await import('./import.ts');
    return { run, usage };
  },
};

const usage = `Usage: realm-operator COMMAND [options]

  operator    run the controller, in the cluster or with a kubeconfig
  relay       run the relay program: realm-operator relay -c FILE
  standalone  run RealmRelay manifests on this machine, without a cluster
  validate    check RealmRelay manifests
  render      print the objects that the operator would apply
  import      convert a configuration of Realm to a RealmRelay
  version     print the version

Run realm-operator COMMAND --help for the options of a command.
`;

/** What is printed without loading a command, both as a word and as an option. */
const texts: Readonly<Record<string, string>> = {
  help: usage,
  h: usage,
  version: `${version}\n`,
  v: `${version}\n`,
};

/** Runs the command that `argv` names; see {@link Command} for the exit code. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = '', ...rest] = argv;
  const printed = ownValue(texts, name.replace(/^--?/, ''));
  if (printed !== undefined) return print(io.stdout, printed, 0);
  const load = ownValue(commands, name);
  if (load === undefined) return print(io.stderr, `realm-operator: unknown command "${name}"\n\n${usage}`, 2);
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) return print(io.stdout, command.usage, 0);
  try {
    return await command.run(rest, io);
  } catch (error) {
    if (!(error instanceof RealmError)) throw error;
    const help = error instanceof UsageError ? `\n${command.usage}` : '';
    return print(
      io.stderr,
      `realm-operator ${name}: ${withCause(error)}\n${help}`,
      error instanceof UsageError ? 2 : 1,
    );
  }
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
