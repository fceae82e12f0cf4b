import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Block } from '../../../tools/docs/blocks.ts';
import { Daemon } from '../../cluster/daemon.ts';
import { type Finished, run } from '../../cluster/run.ts';
import { eventually } from '../../support/eventually.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const bin = join(root, 'test', 'cluster', 'bin');
const timeoutMs = 110_000;

/** The programs that a reader has installed. */
const programs = {
  kubectl: `exec ${join(bin, 'kube')} kubectl "$@"`,
  helm: `exec ${join(bin, 'helm')} "$@"`,
  'realm-operator': `exec ${process.execPath} ${join(root, 'dist', 'realm-operator.js')} "$@"`,
};

/**
 * Runs the commands of one page as its reader would: in one shell session, in a folder that looks like the checkout and holds the
 * files that the page shows.
 */
export class Guide {
  /** The folder, which is also the home of its programs. */
  readonly folder = mkdtempSync(join(tmpdir(), 'realm-operator-guide-'));
  readonly #state = join(this.folder, '.session');
  readonly #background: Daemon[] = [];
  readonly #env: NodeJS.ProcessEnv;

  /** @param env  variables of the session besides ours, such as KUBECONFIG. */
  constructor(env: NodeJS.ProcessEnv) {
    for (const name of readdirSync(root)) symlinkSync(join(root, name), join(this.folder, name));
    const path = `${join(this.folder, '.bin')}:${process.env['PATH'] ?? ''}`;
    this.#env = { ...env, PATH: path, HOME: this.folder };
    writeFileSync(this.#state, '');
  }

  /** Sets variables of the session. */
  set(variables: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(variables))
      appendFileSync(this.#state, `export ${name}=${value}\n`);
  }

  /** Runs a command that the page does not show, which must succeed. */
  async type(command: string): Promise<void> {
    const { stdout, code } = await this.#bash(command);
    if (code !== 0) throw new Error(`${command}: ${stdout}`);
  }

  /** Writes the programs and the files that the page shows. */
  prepare(blocks: readonly Block[]): void {
    mkdirSync(join(this.folder, '.bin'));
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(this.folder, '.bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    for (const { attributes, text } of blocks) {
      if (attributes['file'] !== undefined) writeFileSync(join(this.folder, attributes['file']), text);
    }
  }

  /**
   * Runs a command block, and compares what it prints with `output`, the block after it.
   *
   * @throws Error with what it printed.
   */
  async run(block: Block, output: Block | undefined): Promise<void> {
    if (block.words.includes('background')) return this.#runBeside(block);
    if (!block.words.includes('eventually')) return this.#runOnce(block, output);
    await eventually(`${block.page}:${String(block.line)} succeeds`, async () => {
      await this.#runOnce(block, output);
      return true;
    });
  }

  async #runOnce({ words, text }: Block, output: Block | undefined): Promise<void> {
    const { stdout, code } = await this.#bash(text);
    const isExpected = words.includes('fails') ? code > 0 : code === 0;
    if (!isExpected) throw new Error(`exit code ${String(code)} of:\n${text}\n${stdout}`);
    if (output !== undefined && !matches(stdout, output.text)) {
      throw new Error(`the page shows:\n${output.text}\nthe commands printed:\n${stdout}`);
    }
  }

  /** Variables stay for the next block, and standard error is in the output, as in a terminal. */
  #bash(text: string): Promise<Finished> {
    const script = `exec 2>&1\n. ${this.#state}\nset -a\n${text}\nset +a\ndeclare -px >${this.#state}\n`;
    const command = ['bash', '-c', `cd ${this.folder} && set -euo pipefail\n${script}`] as const;
    return run(command, { env: this.#env, timeoutMs });
  }

  /** Starts a program that runs until the page ends, and resolves when it prints what `until` states. */
  async #runBeside({ page, text, attributes }: Block): Promise<void> {
    const log = join(this.folder, `.log-${String(this.#background.length)}`);
    const variables = Object.entries(this.#env).map(([name, value]) => `${name}=${value ?? ''}`);
    const script = `cd ${this.folder} && exec ${text}`;
    const daemon = new Daemon(page, ['env', ...variables, 'bash', '-c', script], log);
    this.#background.push(daemon);
    await eventually(`"${text.trim()}" prints "${attributes['until'] ?? ''}"`, () => {
      const reason = daemon.endReason();
      if (reason !== undefined) throw reason;
      return daemon.lastOutput().includes(attributes['until'] ?? '');
    });
  }

  /** Stops what it started, and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.#background.map((daemon) => daemon.stop()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether `printed` is `shown`, in which `…` stands for any text, also for whole lines. */
export function matches(printed: string, shown: string): boolean {
  const parts = shown
    .trim()
    .split('…')
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*?')}$`).test(printed.trim());
}
