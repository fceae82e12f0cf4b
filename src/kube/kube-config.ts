import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'; // the index loads all of it
import { TooLargeError } from '../lib/bounded-read.ts';
import { RealmError } from '../lib/errors.ts';

/** Reads cluster and credentials. Called again when the API server rejects the credentials. */
export type KubeConfigLoader = () => KubeConfig;

/** Where cluster and credentials come from. */
export type KubeConfigSource = {
  /**
   * A kubeconfig file. If absent: `KUBECONFIG`, then `~/.kube/config`, then the service account of the Pod that this
   * process runs in.
   */
  readonly file?: string;
};

/** There is no cluster: no kubeconfig was found, it cannot be read, or it names no cluster. */
export class KubeConfigError extends RealmError {
  readonly code = 'REALM_KUBECONFIG';
}

/** The server of client-node if it finds no configuration. */
const fallbackServer = 'http://localhost:8080';

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';
const namespaceFile = join(serviceAccountFolder, 'namespace');

/** client-node reads files whole, so their sizes are checked before. */
const maxFileBytes = 1024 * 1024;

/** The namespace of the Pod that this process runs in; undefined outside a cluster. */
export function ownNamespace(): string | undefined {
  try {
    checkSize(namespaceFile);
    return readFileSync(namespaceFile, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function loaded(file: string | undefined, named: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    for (const path of file === undefined ? defaultFiles() : [file]) checkSize(path);
    if (file === undefined) kubeConfig.loadFromDefault();
    if (file !== undefined) kubeConfig.loadFromFile(file);
    for (const path of namedFiles(kubeConfig)) checkSize(path);
    return kubeConfig;
  } catch (cause) {
    throw new KubeConfigError(
      `the kubeconfig${named} cannot be read (give another one with --kubeconfig or KUBECONFIG)`,
      { cause },
    );
  }
}

/** The files that client-node reads if none is given: the first kind that exists. */
function defaultFiles(): string[] {
  const kubeConfigs = process.env['KUBECONFIG']?.split(delimiter) ?? [join(homedir(), '.kube', 'config')];
  return [...kubeConfigs, ...['token', 'ca.crt'].map((name) => join(serviceAccountFolder, name))];
}

/** The files that `kubeConfig` names and client-node reads with each renewal of the credentials. */
function namedFiles(kubeConfig: KubeConfig): string[] {
  const cluster = kubeConfig.getCurrentCluster();
  const user = kubeConfig.getCurrentUser();
  const provider = user?.authProvider as { readonly config?: { readonly tokenFile?: string } } | undefined;
  return [cluster?.caFile, user?.certFile, user?.keyFile, provider?.config?.tokenFile].filter(
    (path) => path !== undefined,
  );
}

/** @throws TooLargeError if there is a file at `path` that is larger than 1 MiB. */
function checkSize(path: string): void {
  if (sizeOf(path) > maxFileBytes) throw new TooLargeError(path, maxFileBytes);
}

/** 0 for a file that cannot be read, which client-node skips or reports. */
function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

/** A loader for `source`, which throws KubeConfigError. */
export function kubeConfigLoader({ file }: KubeConfigSource): KubeConfigLoader {
  const named = file === undefined ? '' : ` ${file}`;
  return () => {
    const kubeConfig = loaded(file, named);
    const server = kubeConfig.getCurrentCluster()?.server;
    if (server === undefined) {
      throw new KubeConfigError(
        `the kubeconfig${named} has no current context with a cluster: set one with "kubectl config use-context"`,
      );
    }
    if (file === undefined && server === fallbackServer) {
      throw new KubeConfigError(
        'found neither a kubeconfig nor a service account: give a kubeconfig with --kubeconfig or KUBECONFIG',
      );
    }
    return kubeConfig;
  };
}
