import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { eventually } from '../test/cluster/eventually.ts';
import { freePort } from '../test/cluster/free-port.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';

const bundle = join(import.meta.dirname, '..', 'dist', 'realm-operator.js');
const patience = { timeoutMs: 120_000, intervalMs: 5 };
/** Each look at its metrics costs the operator what a scrape does. */
const countingPatience = { timeoutMs: 120_000, intervalMs: 100 };

/** The operator of the bundle, in a process of its own. */
export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #admin: string;

  private constructor(child: ChildProcess, admin: string) {
    this.#child = child;
    this.#admin = admin;
  }

  /** Starts it for the cluster of `kubeconfig`. */
  static async start(kubeconfig: string): Promise<OperatorProcess> {
    const admin = `127.0.0.1:${String(await freePort())}`;
    const args = [bundle, 'operator', `--kubeconfig=${kubeconfig}`, `--admin=${admin}`, '--log-level=warn'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    return new OperatorProcess(child, admin);
  }

  /** User and system CPU seconds since it began. */
  get cpuSeconds(): number {
    return cpuSeconds([this.#child.pid ?? -1]);
  }

  /** Resident memory, in MB. */
  get residentMb(): number {
    return (residentKib([this.#child.pid ?? -1]) * 1_024) / 1e6;
  }

  /** Resolves once it knows the cluster. */
  async ready(): Promise<void> {
    await eventually(
      'the operator is ready',
      async () => (await this.#get('/readyz')).status === 200,
      patience,
    );
  }

  /** Resolves once it has reconciled `count` times, and nothing waits for it. */
  async reconciled(count: number): Promise<void> {
    await eventually(
      `${String(count)} reconciles`,
      async () => (await this.#metric(/reconciles?_total/)) >= count && (await this.#metric(/depth/)) === 0,
      countingPatience,
    );
  }

  /** Ends it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
  }

  /** The sum of the metric whose name has `pattern` in it. */
  async #metric(pattern: RegExp): Promise<number> {
    const lines = (await (await this.#get('/metrics')).text()).split('\n');
    return lines
      .filter((line) => !line.startsWith('#') && pattern.test(line.split(/[ {]/, 1)[0] ?? ''))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://${this.#admin}${path}`);
  }
}
