import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RealmDocument } from '../../src/config/realm-document.ts';
import type { RelayStatus } from '../../src/relay/admin/status.ts';
import { eventually } from '../support/eventually.ts';
import { engineFlags } from './engines.ts';
import type { LogLine } from './loopback.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'cli', 'realm.ts');

/** The namespaces that a test of PID 1 needs are root's to make. */
const canUnshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;

/** A relay has to stop alike in each of these ways: title of the tests, and what goes before its command. */
export const waysToRun: readonly { title: string; wrapper: readonly string[]; skip: boolean }[] = [
  { title: 'as a process', wrapper: [], skip: false },
  {
    title: canUnshare ? 'as PID 1' : 'as PID 1 (skipped: unshare --pid is not permitted here)',
    wrapper: ['unshare', '--pid', '--fork', '--kill-child=SIGKILL'],
    skip: !canUnshare,
  },
];

/** The relay program in a process of its own. */
export class RelayProcess {
  readonly lines: LogLine[] = [];
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stderr = '';
  readonly #child: ChildProcess;
  readonly #isWrapped: boolean;

  /**
   * @param wrapper  goes before the command, e.g. `unshare --pid`.
   * @param env      besides that of this process.
   * @param flags    come last; by default the engine of these tests.
   */
  constructor(
    argv: readonly string[],
    wrapper: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    flags: readonly string[] = argv[0]?.startsWith('-') === true ? engineFlags : [],
  ) {
    const [command = '', ...args] = [...wrapper, process.execPath, entry, ...argv, ...flags];
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child = child;
    this.#isWrapped = wrapper.length > 0;
    createInterface({ input: child.stdout }).on('line', (line) => this.lines.push(parsed(line)));
    child.stderr.on('data', (part: Buffer) => (this.stderr += part.toString()));
    this.ended = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The relay's own process: behind `unshare` its child. */
  get wrappedPid(): number {
    if (!this.#isWrapped) return this.pid;
    return Number(spawnSync('pgrep', ['-P', String(this.pid)], { encoding: 'utf8' }).stdout.trim());
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it, whatever it is doing. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  /** Waits for a line of the log. */
  async logged(msg: string): Promise<LogLine> {
    return eventually(`"${msg}" in the log`, () => this.lines.find((line) => line.msg === msg)).catch(
      (cause: unknown) => {
        const printed = [...this.lines.map((line) => JSON.stringify(line)), this.stderr].join('\n');
        throw new Error(`no "${msg}" in the log:\n${printed}`, { cause });
      },
    );
  }

  /** GET on its admin server, by a connection of its own: one that is kept may be closed by the relay as it is used again. */
  async get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const { admin } = await this.logged('relay started');
    const response = await fetch(`${String(admin)}${path}`, { headers: { connection: 'close' } });
    return { status: response.status, body: await response.text() };
  }

  /** Its status of now: a response may be a second old. */
  async status(): Promise<RelayStatus> {
    const calledMs = Date.now();
    return eventually('a new status', async () => {
      const status = JSON.parse((await this.get('/status')).body) as RelayStatus;
      return Date.parse(status.asOf) >= calledMs ? status : undefined;
    });
  }
}

/** Replaces the configuration at `path` as a rename does: all at once. @returns its hash, as the relay calls it. */
export function replaceConfig(path: string, document: RealmDocument | string): string {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return createHash('sha256').update(text).digest('hex');
}

function parsed(line: string): LogLine {
  return line.startsWith('{') ? (JSON.parse(line) as LogLine) : { msg: line };
}
