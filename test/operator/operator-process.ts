import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually } from '../support/eventually.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** It starts from its sources: on a busy machine that takes the minute that other waits have. */
const patience = { timeoutMs: 150_000 };

/** What runs it, where that is not this source by a Node without flags. */
type ProcessOptions = { readonly nodeFlags?: readonly string[]; readonly program?: string };

/** `realm-operator operator` in a process of its own. */
export class OperatorProcess {
  /** The messages that it logged. */
  readonly messages: string[] = [];
  /** What its clock said at each. */
  readonly times: Date[] = [];
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  #output = '';

  /** @param flags  after `operator`. It serves no health checks. */
  constructor(flags: readonly string[], { nodeFlags = [], program = entry }: ProcessOptions = {}) {
    const args = [...nodeFlags, program, 'operator', '--admin=off', ...flags];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#output += `${line}\n`;
      if (line.startsWith('{')) this.#read(JSON.parse(line) as { msg: string; time: string });
    });
    child.stderr.on('data', (part: Buffer) => (this.#output += part.toString()));
    this.ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
  }

  #read({ msg, time }: { readonly msg: string; readonly time: string }): void {
    this.messages.push(msg);
    this.times.push(new Date(time));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, whatever it is doing. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** Resolves once it has logged `message`. */
  async logged(message: string): Promise<void> {
    const isLogged = (): boolean => this.messages.includes(message);
    await eventually(`"${message}" in the log`, isLogged, patience).catch((cause: unknown) => {
      throw new Error(this.#output, { cause });
    });
  }
}
