import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { eventually } from '../test/support/eventually.ts';
import { freePort } from '../test/support/free-port.ts';
import { cpuSeconds, residentKib } from './process-figures.ts';

const root = join(import.meta.dirname, '..');
const bundle = join(root, 'dist', 'realm-operator.js');
const patience = { timeoutMs: 120_000, intervalMs: 5 };
/** Each probe of its metrics costs the operator as much as a scrape. */
const countingPatience = { timeoutMs: 120_000, intervalMs: 100 };

type Manifest = {
  readonly kind: string;
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
};
type Container = {
  readonly command: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
};

/** The flags of Node.js and the environment of the operator in `config/`. */
function deployed(): { flags: readonly string[]; env: Readonly<Record<string, string>> } {
  const documents = loadAll(readFileSync(join(root, 'config', 'deployment.yaml'), 'utf8')) as Manifest[];
  const [container] =
    documents.find(({ kind }) => kind === 'Deployment')?.spec.template.spec.containers ?? [];
  if (container === undefined) throw new Error('config/deployment.yaml has no Deployment');
  return {
    flags: container.command.filter((word) => word.startsWith('--')),
    env: Object.fromEntries(container.env.map(({ name, value }) => [name, value])),
  };
}

/** The bundled operator in a child process, with the flags and the environment of its Deployment. */
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
    const options = [`--kubeconfig=${kubeconfig}`, `--admin=${admin}`, '--log-level=warn'];
    const { flags, env } = deployed();
    const child = spawn(process.execPath, [...flags, bundle, 'operator', ...options], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return new OperatorProcess(child, admin);
  }

  /** User and system CPU seconds since its start. */
  get cpuSeconds(): number {
    return cpuSeconds([this.#child.pid ?? -1]);
  }

  /** Resident memory, in MB. */
  get residentMb(): number {
    return (residentKib([this.#child.pid ?? -1]) * 1_024) / 1e6;
  }

  /** Resolves once it is ready. */
  async ready(): Promise<void> {
    await eventually(
      'the operator is ready',
      async () => (await this.#get('/readyz')).status === 200,
      patience,
    );
  }

  /** Resolves once it has reconciled `count` times and its queue is empty. */
  async reconciled(count: number): Promise<void> {
    await eventually(
      `${String(count)} reconciles`,
      async () => (await this.#metric(/reconciles?_total/)) >= count && (await this.#metric(/depth/)) === 0,
      countingPatience,
    );
  }

  /** Stops it. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exit;
  }

  /** The sum of the metrics whose names match `pattern`. */
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
