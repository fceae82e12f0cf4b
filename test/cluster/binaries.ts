import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A program, and the arguments before those of the caller. */
export type Command = readonly [file: string, ...args: string[]];

/** The programs of a control plane. */
export type Binaries = {
  readonly etcd: Command;
  readonly apiServer: Command;
  readonly kubectl: Command;
  /** Absent with KUBEBUILDER_ASSETS alone, which has none; then nothing collects garbage. */
  readonly controllerManager?: Command;
};

const built = join(import.meta.dirname, 'bin', 'kube');

/**
 * The programs on this machine: those in the folder KUBEBUILDER_ASSETS (the convention of envtest) take precedence over
 * those that `make cluster` built.
 *
 * @returns a string if programs are missing: which ones, and the remedy.
 */
export function binaries(environment: NodeJS.ProcessEnv = process.env): Binaries | string {
  if (process.platform !== 'linux') return 'a control plane runs on Linux only';
  const assets = environment['KUBEBUILDER_ASSETS'];
  if (assets !== undefined && assets !== '') return envtestBinaries(assets);
  if (!existsSync(built)) {
    return 'no kube-apiserver: `make cluster` builds it where Go is, or set KUBEBUILDER_ASSETS';
  }
  return {
    etcd: [built, 'etcd'],
    apiServer: [built, 'kube-apiserver'],
    kubectl: [built, 'kubectl'],
    controllerManager: [built, 'kube-controller-manager'],
  };
}

function envtestBinaries(folder: string): Binaries | string {
  const missing = ['etcd', 'kube-apiserver', 'kubectl'].filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) return `KUBEBUILDER_ASSETS=${folder} lacks ${missing.join(', ')}`;
  const controllerManager = controllerManagerBeside(folder);
  return {
    etcd: [join(folder, 'etcd')],
    apiServer: [join(folder, 'kube-apiserver')],
    kubectl: [join(folder, 'kubectl')],
    ...(controllerManager === undefined ? {} : { controllerManager }),
  };
}

function controllerManagerBeside(folder: string): Command | undefined {
  const file = join(folder, 'kube-controller-manager');
  if (existsSync(file)) return [file];
  return existsSync(built) ? [built, 'kube-controller-manager'] : undefined;
}
