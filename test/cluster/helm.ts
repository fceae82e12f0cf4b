import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from './binaries.ts';
import { type Finished, run } from './run.ts';

const built = join(import.meta.dirname, 'bin');

/** Helm, with its own home directory. */
export class Helm {
  #home: string | undefined;

  /** Runs helm; `values` become the JSON that `--values -` reads. The caller checks the exit code. */
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
   * @throws Error with its output.
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

/** The program that evaluates statuses like GitOps tools, and objects of the Prometheus Operator like that operator. */
export const judge: Command = [join(built, 'judge')];

/** Why Helm and the judge cannot run here; undefined if they can. */
function obstacle(): string | undefined {
  if (existsSync(join(built, 'helm')) && existsSync(join(built, 'judge'))) return undefined;
  return 'no helm: `make cluster` builds it where Go is';
}

/**
 * A suite that needs Helm, or the judge that is built with it. If they are missing, its tests are pending and its title
 * states the reason.
 *
 * @param body  receives Helm, whose home directory is removed after the suite.
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
