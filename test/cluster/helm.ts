import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from './binaries.ts';
import { type Finished, run } from './run.ts';

const built = join(import.meta.dirname, 'bin');

/** Helm, with a home of its own. */
export class Helm {
  #home: string | undefined;

  /** Runs helm; `values` are the JSON that `--values -` reads. The exit code is for the caller to judge. */
  run(args: readonly string[], values: object = {}): Promise<Finished> {
    const home = (this.#home ??= mkdtempSync(join(tmpdir(), 'realm-operator-helm-')));
    const env = {
      HELM_CACHE_HOME: join(home, 'cache'),
      HELM_CONFIG_HOME: join(home, 'config'),
      HELM_DATA_HOME: join(home, 'data'),
    };
    return run([join(built, 'helm'), ...args], { env, stdin: JSON.stringify(values) });
  }

  /**
   * Runs helm, which must succeed.
   *
   * @returns its standard output.
   * @throws Error with what it said.
   */
  async runOrThrow(args: readonly string[], values: object = {}): Promise<string> {
    const { stdout, stderr, code } = await this.run(args, values);
    if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Removes its home. */
  remove(): void {
    if (this.#home !== undefined) rmSync(this.#home, { recursive: true });
    this.#home = undefined;
  }
}

/** The program that judges statuses as GitOps tools do, and objects of the Prometheus Operator as it does. */
export const judge: Command = [join(built, 'judge')];

/** Why Helm and the judge cannot run here; undefined where they can. */
function obstacle(): string | undefined {
  if (existsSync(join(built, 'helm')) && existsSync(join(built, 'judge'))) return undefined;
  return 'no helm: `make cluster` builds it where Go is';
}

/**
 * A suite that needs Helm, or the judge that is built with it. Where they are not, its tests are pending and its title
 * says why.
 *
 * @param body  gets Helm, with a home that goes after the suite.
 */
export function describeWithHelm(title: string, body: (helm: Helm) => void): void {
  const reason = obstacle();
  const helm = new Helm();
  const suite = (): void => {
    after(() => {
      helm.remove();
    });
    body(helm);
  };
  if (reason === undefined) describe(title, suite);
  if (reason !== undefined) describe.skip(`${title} (skipped: ${reason})`, suite);
}
