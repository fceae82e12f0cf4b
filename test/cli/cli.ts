import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import 'zod'; // commands load it when they need it, and it sets global variables
import { main } from '../../src/cli/main.ts';
import { eventually } from '../support/eventually.ts';

/** What a command printed and returned. */
export type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** A command under way. */
export type RunningCli = {
  /** What it printed up to now. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Its exit code. */
  readonly ended: Promise<number>;
  /** Waits until standard output, or standard error, holds `text`. */
  readonly shown: (text: string) => Promise<unknown>;
  readonly reported: (text: string) => Promise<unknown>;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Asks it to end by SIGTERM, unless it has ended; its exit code. */
  readonly end: () => Promise<number>;
};

/** Starts `realm-operator` with `argv` in this process, `stdin` being what it may read. */
export function startCli(argv: readonly string[], stdin: string | Buffer = ''): RunningCli {
  const [stdout, stderr] = [new Collected(), new Collected()];
  const signals = new EventEmitter();
  const ended = main(argv, {
    stdin: Readable.from([typeof stdin === 'string' ? Buffer.from(stdin) : stdin]),
    stdout,
    stderr,
    signals,
  });
  return {
    stdout: () => stdout.text,
    stderr: () => stderr.text,
    ended,
    shown: (text) => eventually(`"${text}" on standard output`, () => stdout.text.includes(text)),
    reported: (text) => eventually(`"${text}" on standard error`, () => stderr.text.includes(text)),
    signal: (name) => signals.emit(name, name),
    end: async () => {
      signals.emit('SIGTERM', 'SIGTERM');
      return ended;
    },
  };
}

/** Runs `realm-operator` with `argv` to its end. */
export async function runCli(argv: readonly string[], stdin: string | Buffer = ''): Promise<Outcome> {
  const cli = startCli(argv, stdin);
  return { code: await cli.ended, stdout: cli.stdout(), stderr: cli.stderr() };
}

class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
