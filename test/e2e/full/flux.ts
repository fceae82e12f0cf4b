import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crdsServed } from '../../cluster/crds.ts';
import { Daemon } from '../../cluster/daemon.ts';
import type { TestNode } from '../../cluster/node.ts';
import { eventually } from '../../support/eventually.ts';
import { examples } from '../../gitops/documents.ts';
import { kubectl } from '../install.ts';

const bin = join(import.meta.dirname, '..', '..', 'cluster', 'bin');
const program = join(bin, 'kustomize-controller');
const crds = join(bin, 'crds');
const namespace = 'flux-system';
const source = 'flux-system';

/** Why Flux cannot run here; undefined if it can. */
export function fluxObstacle(): string | undefined {
  if (!existsSync(program)) return 'kustomize-controller cannot be built from Go modules here';
  return existsSync(crds) ? undefined : 'the module proxy has no CRDs of Flux';
}

/** The condition Ready of a Kustomization, and the revision that was applied last. */
export type Synced = {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly applied: string | undefined;
  readonly attempted: string | undefined;
};

type Kustomization = {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly lastAppliedRevision?: string;
    readonly lastAttemptedRevision?: string;
    readonly lastHandledReconcileAt?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
  };
};

/**
 * Flux's kustomize-controller beside a node, and a Git repository that it follows.
 *
 * source-controller cannot be built from the module proxy, so this class does its work: it serves the archive of each commit, and
 * writes the status of the GitRepository.
 */
export class Flux {
  readonly #node: TestNode;
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-flux-'));
  readonly #repository = join(this.#folder, 'repository');
  readonly #archives = new Map<string, Buffer>();
  readonly #server: Server;
  #controller: Daemon | undefined;
  #requests = 0;

  private constructor(node: TestNode) {
    this.#node = node;
    this.#server = createServer(({ url }, response) => {
      const archive = this.#archives.get(url ?? '');
      response.writeHead(archive === undefined ? 404 : 200).end(archive);
    });
  }

  /**
   * Starts it. The Kustomization is the one that docs/gitops.md shows, with `changes` in its spec.
   *
   * @param changes  shorter times, and what it depends on.
   */
  static async start(node: TestNode, changes: object): Promise<Flux> {
    const flux = new Flux(node);
    await kubectl(node, ['apply', '--server-side', '-f', crds]);
    await crdsServed((args) => kubectl(node, args));
    await kubectl(node, ['create', 'namespace', namespace]);
    flux.#git('init', '--quiet', '--initial-branch=main', flux.#repository);
    await once(flux.#server.listen(0, '127.0.0.1'), 'listening');
    const shown = examples().find(({ kind }) => kind === 'Kustomization');
    const url = 'https://git.example.com/platform/relays';
    const repository = {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name: source, namespace },
      spec: { interval: '1h', url, ref: { branch: 'main' } },
    };
    const items = [repository, { ...shown, spec: { ...shown?.spec, ...changes } }];
    await kubectl(node, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    flux.#run();
    return flux;
  }

  #run(): void {
    const settings = [
      `KUBECONFIG=${this.#node.kubeconfig}`,
      `RUNTIME_NAMESPACE=${namespace}`,
      `TMPDIR=${this.#folder}`,
    ];
    const flags = [
      '--enable-leader-election=false',
      '--metrics-addr=127.0.0.1:0',
      '--health-addr=127.0.0.1:0',
    ];
    const command = ['env', ...settings, program, ...flags, '--log-level=info'] as const;
    this.#controller = new Daemon('kustomize-controller', command, join(this.#folder, 'controller.log'));
  }

  /** The last lines of its log. */
  log(): string {
    return this.#controller?.lastOutput() ?? '';
  }

  /** Stops it, and removes its files. */
  async stop(): Promise<void> {
    await this.#controller?.stop();
    this.#server.close();
    this.#server.closeAllConnections();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Commits these files; undefined removes one.
   *
   * @returns the revision, as Flux writes it.
   */
  async commit(message: string, files: Readonly<Record<string, string | undefined>>): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      const file = join(this.#repository, name);
      if (text === undefined) this.#git('-C', this.#repository, 'rm', '--quiet', name);
      else {
        spawnSync('mkdir', ['-p', join(file, '..')]);
        writeFileSync(file, text);
      }
    }
    this.#git('-C', this.#repository, 'add', '--all');
    this.#git('-C', this.#repository, 'commit', '--quiet', '--message', message);
    return this.#publish();
  }

  /** Reverts the last commit, see `commit`. */
  async revert(): Promise<string> {
    this.#git('-C', this.#repository, 'revert', '--no-edit', 'HEAD');
    return this.#publish();
  }

  async #publish(): Promise<string> {
    const commit = this.#git('-C', this.#repository, 'rev-parse', 'HEAD').toString().trim();
    const archive = this.#git('-C', this.#repository, 'archive', '--format=tar.gz', 'HEAD');
    const path = `/${commit}.tar.gz`;
    this.#archives.set(path, archive);
    const revision = `main@sha1:${commit}`;
    const now = new Date().toISOString().replace(/\.\d+/, '');
    const artifact = {
      path: path.slice(1),
      url: `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}${path}`,
      revision,
      digest: `sha256:${createHash('sha256').update(archive).digest('hex')}`,
      lastUpdateTime: now,
      size: archive.length,
    };
    const ready = {
      type: 'Ready',
      status: 'True',
      reason: 'Succeeded',
      message: revision,
      lastTransitionTime: now,
    };
    const status = { observedGeneration: 1, artifact, conditions: [{ ...ready, observedGeneration: 1 }] };
    const url = `/apis/source.toolkit.fluxcd.io/v1/namespaces/${namespace}/gitrepositories/${source}/status`;
    const { status: code, text } = await this.#node.request(
      'PATCH',
      url,
      { status },
      'application/merge-patch+json',
    );
    if (code !== 200) throw new Error(text);
    return revision;
  }

  #git(...args: readonly string[]): Buffer {
    const settings = [
      'user.name=Test',
      'user.email=test@example.com',
      'commit.gpgsign=false',
      'core.hooksPath=/dev/null',
    ];
    const options = settings.flatMap((setting) => ['-c', setting]);
    const { status, stdout, stderr } = spawnSync('git', [...options, ...args], {
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`);
    return stdout;
  }

  /** Waits until Flux has dealt with a revision: it is Ready, or Ready is False. */
  settled(revision: string): Promise<Synced> {
    return eventually(`Flux has dealt with ${revision}\n`, async () => {
      const synced = await this.#synced();
      const isDone = synced.status === 'True' ? synced.applied === revision : synced.status === 'False';
      return synced.attempted === revision && isDone && synced;
    });
  }

  /** Requests a reconcile, as `flux reconcile` does, and waits for it. */
  async reconcile(): Promise<Synced> {
    this.#requests += 1;
    const at = `request-${String(this.#requests)}`;
    const name = 'kustomization/relays';
    await kubectl(this.#node, [
      '-n',
      namespace,
      'annotate',
      '--overwrite',
      name,
      `reconcile.fluxcd.io/requestedAt=${at}`,
    ]);
    return eventually(`Flux has answered ${at}`, async () => {
      const { status } = await this.#read();
      const synced = await this.#synced();
      return status?.lastHandledReconcileAt === at && synced.status !== 'Unknown' && synced;
    });
  }

  async #read(): Promise<Kustomization> {
    const path = `/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/${namespace}/kustomizations/relays`;
    return (await this.#node.request('GET', path)).json() as Kustomization;
  }

  async #synced(): Promise<Synced> {
    const { conditions = [], lastAppliedRevision, lastAttemptedRevision } = (await this.#read()).status ?? {};
    const ready = conditions.find(({ type }) => type === 'Ready');
    return {
      ...(ready ?? { status: 'Unknown', reason: '', message: '' }),
      applied: lastAppliedRevision,
      attempted: lastAttemptedRevision,
    };
  }
}
