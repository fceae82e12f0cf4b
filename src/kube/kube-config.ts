import { readFileSync } from 'node:fs';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'; // the index loads all of it
import { RealmError } from '../lib/errors.ts';

/** Reads cluster and credentials; called again when the API server no longer takes the credentials. */
export type KubeConfigLoader = () => KubeConfig;

/** Where cluster and credentials come from. */
export type KubeConfigSource = {
  /**
   * A kubeconfig file. Without one: `KUBECONFIG`, then `~/.kube/config`, then the service account of the Pod
   * that we run in, in this order.
   */
  readonly file?: string;
};

/** There is no cluster to talk to: no kubeconfig, or one that cannot be read or names none. */
export class KubeConfigError extends RealmError {
  readonly code = 'REALM_KUBECONFIG';
}

/** What client-node falls back to where it finds nothing at all. */
const fallbackServer = 'http://localhost:8080';

const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The namespace of the Pod that we run in; undefined outside of a cluster. */
export function ownNamespace(): string | undefined {
  try {
    return readFileSync(namespaceFile, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A loader for `source`, which throws KubeConfigError. */
export function kubeConfigLoader({ file }: KubeConfigSource): KubeConfigLoader {
  return () => {
    const kubeConfig = new KubeConfig();
    try {
      if (file === undefined) kubeConfig.loadFromDefault();
      if (file !== undefined) kubeConfig.loadFromFile(file);
    } catch (cause) {
      throw new KubeConfigError(`the kubeconfig ${file ?? 'found'} cannot be read`, { cause });
    }
    const server = kubeConfig.getCurrentCluster()?.server;
    if (server === undefined) {
      throw new KubeConfigError(
        `the kubeconfig ${file ?? 'found'} has no current context with a cluster: "kubectl config use-context" sets one`,
      );
    }
    if (file === undefined && server === fallbackServer) {
      throw new KubeConfigError(
        'there is neither a kubeconfig nor a service account: name a kubeconfig with --kubeconfig or KUBECONFIG',
      );
    }
    return kubeConfig;
  };
}
