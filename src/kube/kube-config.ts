import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'; // the index loads all of it
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

const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The namespace of the Pod that this process runs in; undefined outside a cluster. */
export function ownNamespace(): string | undefined {
  try {
    return readFileSync(namespaceFile, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A loader for `source`, which throws KubeConfigError. */
export function kubeConfigLoader({ file }: KubeConfigSource): KubeConfigLoader {
  const named = file === undefined ? '' : ` ${file}`;
  return () => {
    const kubeConfig = new KubeConfig();
    try {
      if (file === undefined) kubeConfig.loadFromDefault();
      if (file !== undefined) kubeConfig.loadFromFile(file);
    } catch (cause) {
      throw new KubeConfigError(`the kubeconfig${named} cannot be read`, { cause });
    }
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
