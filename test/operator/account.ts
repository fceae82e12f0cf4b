import { KubeConfig } from '@kubernetes/client-node';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';

/**
 * A kubeconfig with a token of a service account that is there.
 *
 * @param host  by which the API server is reached, where that is not the one of its certificate.
 */
export async function accountKubeConfig(
  controlPlane: ControlPlane,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  host?: string,
): Promise<KubeConfig> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  const { json } = await controlPlane.request('POST', path, { spec: {} });
  const { token } = (json() as { status: { token: string } }).status;
  const cluster = kubeConfigLoader({ file: controlPlane.kubeconfig })().getCurrentCluster();
  if (cluster === null) throw new Error('no cluster');
  const reached =
    host === undefined
      ? cluster
      : { ...cluster, server: cluster.server.replace('127.0.0.1', host), tlsServerName: 'localhost' };
  const config = new KubeConfig();
  config.loadFromClusterAndUser(reached, { name, token });
  return config;
}
