import type { RealmRelay } from '../api/schema/realm-relay.ts';
import { adminPort } from '../api/schema/endpoint.ts';
import { apiVersion, plural } from '../api/schema/realm-relay.ts';
import { KubeClient } from '../kube/client.ts';
import { isKubeError } from '../kube/kube-error.ts';
import { kubeConfigLoader } from '../kube/kube-config.ts';
import { systemClock } from '../lib/clock.ts';
import { RealmError } from '../lib/errors.ts';

/** Which RealmRelays of a cluster. */
export type ClusterScope = {
  readonly kubeconfig: string | undefined;
  /** undefined = that of the context, or `default`. */
  readonly namespace: string | undefined;
  readonly isAllNamespaces: boolean;
  /** [] = all. */
  readonly names: readonly string[];
};

/** There is no RealmRelay of a name. */
class MissingRelayError extends RealmError {
  readonly code = 'REALM_RELAY_MISSING';

  constructor(name: string, namespace: string) {
    const place = namespace === '' ? 'the cluster' : `namespace ${namespace}`;
    super(`there is no RealmRelay "${name}" in ${place}: see kubectl get realmrelays -A`);
  }
}

/** The API server cannot be asked, or refuses the credentials. */
class ClusterError extends RealmError {
  readonly code = 'REALM_CLUSTER';
}

/** A Pod, as far as it is read here. */
export type RelayPod = {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
};

/** The status of the container of a Pod. */
export type ContainerStatus = {
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode: number } };
};

/** A Warning event of a Pod. */
export type PodWarning = {
  readonly reason?: string;
  readonly message?: string;
  readonly involvedObject: { readonly name: string };
};

/** A person waits for the answer. */
const requestTimeoutMs = 10_000;

/** Reads RealmRelays and their Pods. */
export class ClusterRelays {
  readonly #client: KubeClient;
  readonly #scope: ClusterScope;
  readonly #namespace: string;
  /** Which API server, for messages. */
  readonly #server: string;

  /** @throws KubeConfigError */
  constructor(scope: ClusterScope) {
    const load = kubeConfigLoader(scope.kubeconfig === undefined ? {} : { file: scope.kubeconfig });
    const kubeConfig = load();
    const { currentContext, contexts } = kubeConfig;
    const server = kubeConfig.getCurrentCluster()?.server ?? '';
    this.#server = `the API server ${server} of context "${currentContext}"`;
    const context = contexts.find(({ name }) => name === currentContext);
    this.#client = new KubeClient(load, systemClock);
    this.#scope = scope;
    this.#namespace = scope.namespace ?? context?.namespace ?? 'default';
  }

  /** The RealmRelays of the scope. @throws MissingRelayError; ClusterError; KubeError */
  async relays(): Promise<RealmRelay[]> {
    const { names, isAllNamespaces } = this.#scope;
    const folder = isAllNamespaces ? '' : `/namespaces/${this.#namespace}`;
    const found = await this.#items<RealmRelay>(`/apis/${apiVersion}${folder}/${plural}`);
    const missing = names.find((name) => !found.some(({ metadata }) => metadata.name === name));
    if (missing !== undefined) throw new MissingRelayError(missing, isAllNamespaces ? '' : this.#namespace);
    return names.length === 0 ? found : found.filter(({ metadata }) => names.includes(metadata.name));
  }

  /** The Pods of `relay`. */
  async pods({ metadata: { name, namespace = 'default' } }: RealmRelay): Promise<RelayPod[]> {
    const labelSelector = `app.kubernetes.io/instance=${name},app.kubernetes.io/component=relay`;
    return this.#items<RelayPod>(`/api/v1/namespaces/${namespace}/pods`, { labelSelector });
  }

  /** The Warning events of the Pods of a namespace; [] if they may not be read. */
  async podWarnings(namespace: string): Promise<PodWarning[]> {
    const fieldSelector = 'involvedObject.kind=Pod,type=Warning';
    try {
      return await this.#items<PodWarning>(`/api/v1/namespaces/${namespace}/events`, { fieldSelector });
    } catch (error) {
      if (isKubeError(error, 403)) return [];
      throw error;
    }
  }

  /** What the relay in `pod` answers at `path`, through the API server; undefined if it does not. */
  async ask({ metadata: { name, namespace } }: RelayPod, path: string): Promise<unknown> {
    const proxy = `/api/v1/namespaces/${namespace}/pods/${name}:${String(adminPort)}/proxy${path}`;
    return this.#client.request({ method: 'GET', path: proxy, timeoutMs: 5_000 }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #items<T>(path: string, query: Readonly<Record<string, string>> = {}): Promise<T[]> {
    const request = { method: 'GET', path, query, timeoutMs: requestTimeoutMs } as const;
    const answer = await this.#client.request(request).catch((cause: unknown) => {
      throw this.#explained(cause);
    });
    return (answer as { items: T[] }).items;
  }

  #explained(cause: unknown): unknown {
    if (isKubeError(cause, 401))
      return new ClusterError(`${this.#server} refuses the credentials (sign in again, or renew them)`, {
        cause,
      });
    if (isKubeError(cause, 404))
      return new ClusterError(`${this.#server} has no RealmRelays (install realm-operator with its CRDs)`, {
        cause,
      });
    if (cause instanceof RealmError) return cause; // in the words of the API server
    const remedy = 'check it, your network and the context of kubectl';
    return new ClusterError(`${this.#server} cannot be asked (${remedy})`, { cause });
  }
}
