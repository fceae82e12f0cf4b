import { KubeConfig } from '@kubernetes/client-node';

/** Reads cluster and credentials; called again when the API server no longer takes the credentials. */
export type KubeConfigLoader = () => KubeConfig;

/** Where cluster and credentials come from. */
export type KubeConfigSource = {
  /**
   * A kubeconfig file. Without one: `KUBECONFIG`, then `~/.kube/config`, then the service account of the Pod
   * that we run in, in this order.
   */
  readonly file?: string;
  /** The context of the kubeconfig to use instead of its current one. */
  readonly context?: string;
};

/** A loader for `source`. It throws where the file cannot be read or is not a kubeconfig. */
export function kubeConfigLoader({ file, context }: KubeConfigSource): KubeConfigLoader {
  return () => {
    const kubeConfig = new KubeConfig();
    if (file === undefined) kubeConfig.loadFromDefault();
    if (file !== undefined) kubeConfig.loadFromFile(file);
    if (context !== undefined) kubeConfig.setCurrentContext(context);
    return kubeConfig;
  };
}
