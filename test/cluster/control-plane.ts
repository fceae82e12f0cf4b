import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Binaries, binaries } from './binaries.ts';
import { Cluster } from './cluster.ts';
import { crdsServed } from './crds.ts';
import { Daemon } from './daemon.ts';
import { eventually } from '../support/eventually.ts';
import { apiServerFlags, controllerManagerFlags, etcdFlags } from './flags.ts';
import { freePort } from '../support/free-port.ts';
import { makePki } from './pki.ts';

const readyTimeoutMs = 90_000;
// On SIGTERM it waits a minute for watches, which never end on their own.
const apiServerGraceMs = 1_000;

/** Options for starting a control plane. */
export type ControlPlaneOptions = {
  /** Flags for kube-apiserver after our own: the last value of a flag applies, lists of plugins are merged. */
  readonly apiServerFlags?: readonly string[];
  /**
   * Files or folders to apply before the controller manager starts: it looks for new kinds only every 30 s, so it collects
   * garbage of a later CRD late.
   */
  readonly manifests?: readonly string[];
  /** Whether kube-controller-manager runs (garbage collection, Deployments, ...); default true. */
  readonly controllerManager?: boolean;
};

/** A Kubernetes control plane on loopback: etcd, kube-apiserver, kube-controller-manager. No node. */
export class ControlPlane extends Cluster {
  /** Whether a controller manager runs: without one nothing collects garbage. */
  readonly hasControllerManager: boolean;
  readonly #binaries: Binaries;
  #options: ControlPlaneOptions;
  readonly #folder: string;
  readonly #port: number;
  readonly #etcd: Daemon;
  #apiServer: Daemon | undefined;
  #controllerManager: Daemon | undefined;

  /** Starts etcd; `startControlPlane` does the rest. */
  constructor(programs: Binaries, options: ControlPlaneOptions, folder: string, port: number) {
    super(programs.kubectl, serverUrl(port), join(folder, 'pki'));
    this.#binaries = programs;
    this.#options = options;
    this.#folder = folder;
    this.#port = port;
    this.hasControllerManager =
      options.controllerManager !== false && programs.controllerManager !== undefined;
    this.#etcd = new Daemon('etcd', [...programs.etcd, ...etcdFlags(folder)], join(folder, 'etcd.log'));
  }

  /** Starts the API server, on the same port as before, and resolves when it is ready. */
  async startApiServer(): Promise<void> {
    const flags = [...apiServerFlags(this.#folder, this.#port), ...(this.#options.apiServerFlags ?? [])];
    const server = new Daemon(
      'kube-apiserver',
      [...this.#binaries.apiServer, ...flags],
      join(this.#folder, 'kube-apiserver.log'),
    );
    this.#apiServer = server;
    await this.#ready('/readyz', 'ok', [this.#etcd, server]);
  }

  /** Sends `signal` to the API server: SIGSTOP makes it hang, until SIGCONT or SIGKILL. */
  signalApiServer(signal: NodeJS.Signals): void {
    this.#apiServer?.kill(signal);
  }

  /** Stops the API server; etcd keeps running with the data of the cluster. */
  async stopApiServer(): Promise<void> {
    await this.#apiServer?.stop(apiServerGraceMs);
  }

  /**
   * Stops the API server and starts it again, which cuts every connection and watch.
   *
   * @param flags  from now on, in place of those that it had beside our own.
   */
  async restartApiServer(flags?: readonly string[]): Promise<void> {
    await this.stopApiServer();
    if (flags !== undefined) this.#options = { ...this.#options, apiServerFlags: flags };
    await this.startApiServer();
  }

  /** Starts the controller manager if there is one, and resolves once it has created the default service account. */
  async startControllerManager(): Promise<void> {
    const command = this.#binaries.controllerManager;
    if (!this.hasControllerManager || command === undefined) return;
    const manager = new Daemon(
      'kube-controller-manager',
      [...command, ...controllerManagerFlags(this.#folder)],
      join(this.#folder, 'kube-controller-manager.log'),
    );
    this.#controllerManager = manager;
    await this.#ready('/api/v1/namespaces/default/serviceaccounts/default', '"name":"default"', [manager]);
  }

  /** Stops all programs and removes the files. */
  async stop(): Promise<void> {
    await this.#controllerManager?.stop();
    await this.stopApiServer();
    await this.#etcd.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #ready(path: string, expected: string, daemons: readonly Daemon[]): Promise<void> {
    let ended: Error | undefined;
    await eventually(
      `${path} of the API server`,
      async () => {
        ended = firstEnded(daemons);
        if (ended !== undefined) return true; // waiting longer is useless
        const { status, text } = await this.request('GET', path);
        return status === 200 && text.includes(expected);
      },
      { timeoutMs: readyTimeoutMs },
    );
    if (ended !== undefined) throw ended;
  }
}

function serverUrl(port: number): string {
  return `https://127.0.0.1:${String(port)}`;
}

function firstEnded(daemons: readonly Daemon[]): Error | undefined {
  return daemons.map((daemon) => daemon.endReason()).find((reason) => reason !== undefined);
}

/**
 * Starts a control plane on a free port, with its own folder. The caller stops it.
 *
 * @throws Error if this machine lacks its programs, or if one of them exits before it is ready.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const programs = binaries();
  if (typeof programs === 'string') throw new Error(programs);
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  const port = await freePort();
  await makePki(folder, serverUrl(port));
  const controlPlane = new ControlPlane(programs, options, folder, port);
  try {
    await controlPlane.startApiServer();
    await applyManifests(controlPlane, options.manifests ?? []);
    await controlPlane.startControllerManager();
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  return controlPlane;
}

async function applyManifests(controlPlane: ControlPlane, manifests: readonly string[]): Promise<void> {
  for (const manifest of manifests) {
    const { code, stderr } = await controlPlane.kubectl(['apply', '--server-side', '-f', manifest]);
    if (code !== 0) throw new Error(`${manifest}: ${stderr}`);
  }
  if (manifests.length === 0) return;
  await crdsServed(async (args) => {
    const { code, stderr } = await controlPlane.kubectl(args);
    if (code !== 0) throw new Error(stderr);
  });
}
