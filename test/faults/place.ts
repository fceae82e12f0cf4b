import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { accountKubeConfig } from '../operator/account.ts';
import { type FaultProxy, startFaultProxy } from '../operator/fault-proxy.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';

/** A control plane with a controller manager, and an account for operators that reach it through a proxy. */
export class Place {
  readonly controlPlane: ControlPlane;
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-faults-'));
  readonly #token: string;

  private constructor(controlPlane: ControlPlane, token: string) {
    this.controlPlane = controlPlane;
    this.#token = token;
  }

  /** Makes the account, in a namespace of its own. */
  static async prepare(controlPlane: ControlPlane): Promise<Place> {
    const account = { namespace: await controlPlane.namespace(), name: 'operator' };
    const accounts = `/api/v1/namespaces/${account.namespace}/serviceaccounts`;
    await controlPlane.request('POST', accounts, { metadata: { name: account.name } });
    await controlPlane.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: account.namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    });
    const user = (await accountKubeConfig(controlPlane, account)).getCurrentUser();
    return new Place(controlPlane, user?.token ?? '');
  }

  /** Starts a proxy before the API server; the caller stops it. */
  proxy(): Promise<FaultProxy> {
    return startFaultProxy(this.controlPlane);
  }

  /** The credentials of the operators' account, by way of `proxy`. */
  kubeConfig(proxy: FaultProxy): KubeConfig {
    const config = new KubeConfig();
    const cluster = { name: 'proxy', server: proxy.url, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: 'operator', token: this.#token });
    return config;
  }

  /** The same credentials in a file, whose path is returned. */
  kubeConfigFile(proxy: FaultProxy): string {
    const file = join(this.#folder, new URL(proxy.url).port);
    writeFileSync(file, this.kubeConfig(proxy).exportConfig());
    return file;
  }

  /** Removes the files. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}
