import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from './eventually.ts';

const binary = process.env['REALM'];

/** A suite that needs the Rust realm; skipped, with the reason in its title, if `REALM` names no binary of it. */
export function describeRustRealm(title: string, body: () => void): Mocha.Suite {
  if (binary !== undefined) return describe(title, body);
  return describe.skip(`${title} (skipped: REALM names no binary of the Rust realm)`, body) as Mocha.Suite;
}

/** The Rust realm in a child process. */
export class RustRealm {
  /** Lines of its standard output so far. */
  readonly lines: string[] = [];
  stderr = '';
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;

  /** @param env  variables besides those of this process. */
  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(binary ?? '', argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, RUST_BACKTRACE: '0', ...env },
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(line));
    child.stderr.on('data', (part: Buffer) => (this.stderr += part.toString()));
    this.ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
  }

  /** The line that it prints for each endpoint that it accepted, without `inited: `; it binds them only then. */
  get inited(): string[] {
    return this.lines.filter((line) => line.startsWith('inited: ')).map((line) => line.slice(8));
  }

  /**
   * Its `inited` lines, once there are `count`.
   *
   * @throws Error with its standard error if it exits before, or prints fewer.
   */
  async started(count: number): Promise<string[]> {
    let end: number | string | undefined;
    void this.ended.then((code) => (end = code));
    await eventually('the lines of its endpoints', () => this.inited.length >= count || end !== undefined);
    if (this.inited.length < count) throw new Error(`realm ended with ${String(end)}: ${this.stderr}`);
    return this.inited;
  }

  /** Kills it. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
