import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { KubeClient } from '../src/kube/client.ts';
import { Informer } from '../src/kube/informer.ts';
import { kubeConfigLoader } from '../src/kube/kube-config.ts';
import type { KubeObject } from '../src/kube/object.ts';
import { Store } from '../src/kube/store.ts';
import { systemClock } from '../src/lib/clock.ts';
import { createLogger } from '../src/telemetry/logger.ts';
import { gatewayCrds } from '../test/cluster/crds.ts';

const group = 'gateway.networking.k8s.io';
/** Concurrent requests while many objects are created. */
const atOnce = 8;
const endpointsEach = 10;

/** The files of the CRDs that Gateways need. */
export function gatewayManifests(): string[] {
  const own = ['realmgatewayparameters', 'realmtrafficpolicies'].map((plural) => `crds/${plural}.yaml`);
  return [...own, ...readdirSync(gatewayCrds).map((file) => join(gatewayCrds, file))];
}

/** Many Gateways in one namespace, each of their listeners with a route, a Service and an EndpointSlice of its own. */
export class GatewayCrowd {
  readonly #namespace: string;
  readonly #client: KubeClient;
  readonly #configMaps = new Store<KubeObject & { readonly data?: Readonly<Record<string, string>> }>();
  readonly #informer: Informer<KubeObject>;
  readonly #waiting = new Set<() => void>();
  #changes = 0;

  /** @param kubeconfig  of an administrator. */
  constructor(kubeconfig: string, namespace: string) {
    this.#namespace = namespace;
    this.#client = new KubeClient(kubeConfigLoader({ file: kubeconfig }), systemClock);
    this.#configMaps.subscribe(() => {
      for (const look of this.#waiting) look();
    });
    this.#informer = new Informer<KubeObject>({
      client: this.#client,
      clock: systemClock,
      log: createLogger('error'),
      resource: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' },
      namespace,
      store: this.#configMaps,
    });
  }

  /** Starts to watch ConfigMaps. */
  async start(): Promise<void> {
    this.#informer.start();
    await this.#informer.synced;
  }

  async stop(): Promise<void> {
    await this.#informer.stop();
    await this.#client.close();
  }

  /** Creates `count` EndpointSlices, those with the first numbers of the Services of listeners, the others of nobody's. */
  async createSlices(count: number): Promise<void> {
    await this.#each(count, (index) =>
      this.#create('discovery.k8s.io/v1', 'endpointslices', slice(index, 0)),
    );
  }

  async createClass(): Promise<void> {
    await this.#client.request({
      method: 'POST',
      path: `/apis/${group}/v1/gatewayclasses`,
      body: {
        apiVersion: `${group}/v1`,
        kind: 'GatewayClass',
        metadata: { name: 'bench' },
        spec: { controllerName: 'realm-operator.dev/gateway-controller' },
      },
    });
  }

  /** Creates Gateways with their routes and Services; resolves once the ConfigMap of each has all its remotes. */
  async createGateways(count: number, listeners: number): Promise<void> {
    await this.#each(count * listeners, async (index) => {
      await this.#create('v1', 'services', service(index));
      await this.#create(`${group}/v1`, 'tcproutes', route(index, listeners));
    });
    await this.#each(count, (index) => this.#create(`${group}/v1`, 'gateways', gateway(index, listeners)));
    await this.#until(() => {
      return Array.from({ length: count }, (_, index) => this.#remotes(index)).every(
        (remotes) => remotes === listeners * endpointsEach,
      );
    });
  }

  /** Changes an endpoint of the first listener of this Gateway; resolves with the milliseconds until its ConfigMap has it. */
  async changeEndpoint(index: number, listeners: number): Promise<number> {
    this.#changes += 1;
    const address = addressOf(index * listeners, this.#changes);
    const startMs = performance.now();
    await this.patchSlice(index * listeners, this.#changes);
    await this.#until(() => this.#text(index).includes(`${address}:`));
    return performance.now() - startMs;
  }

  /** Changes the first endpoint of this slice. */
  async patchSlice(index: number, change: number): Promise<void> {
    const { endpoints } = slice(index, change) as unknown as { endpoints: object };
    await this.#client.request({
      method: 'PATCH',
      path: `/apis/discovery.k8s.io/v1/namespaces/${this.#namespace}/endpointslices/slice-${String(index)}`,
      contentType: 'application/merge-patch+json',
      body: { endpoints },
    });
  }

  #text(index: number): string {
    return (
      this.#configMaps.get(`${this.#namespace}/gateway-${String(index)}-bench-config`)?.data?.[
        'config.json'
      ] ?? ''
    );
  }

  #remotes(index: number): number {
    return this.#text(index).match(/:8080"/g)?.length ?? 0;
  }

  async #each(count: number, create: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) await create(next++);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  async #create(apiVersion: string, plural: string, body: object): Promise<void> {
    const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
    await this.#client.request({
      method: 'POST',
      path: `${root}/namespaces/${this.#namespace}/${plural}`,
      body,
    });
  }

  #until(isMet: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const look = (): void => {
      if (!isMet()) return;
      this.#waiting.delete(look);
      resolve(undefined);
    };
    this.#waiting.add(look);
    look();
    return promise;
  }
}

function gateway(index: number, listeners: number): object {
  return {
    apiVersion: `${group}/v1`,
    kind: 'Gateway',
    metadata: { name: `gateway-${String(index)}` },
    spec: {
      gatewayClassName: 'bench',
      listeners: Array.from({ length: listeners }, (_, each) => ({
        name: `l${String(each)}`,
        protocol: 'TCP',
        port: 5000 + each,
      })),
    },
  };
}

function route(index: number, listeners: number): object {
  const parent = `gateway-${String(Math.floor(index / listeners))}`;
  return {
    apiVersion: `${group}/v1`,
    kind: 'TCPRoute',
    metadata: { name: `route-${String(index)}` },
    spec: {
      parentRefs: [{ name: parent, sectionName: `l${String(index % listeners)}` }],
      rules: [{ backendRefs: [{ name: `service-${String(index)}`, port: 80 }] }],
    },
  };
}

function service(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `service-${String(index)}` },
    spec: { clusterIP: 'None', ports: [{ name: 'p', port: 80 }] },
  };
}

/** As the controller of EndpointSlices makes them: with the node and the Pod of each endpoint. */
function slice(index: number, change: number): object {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `slice-${String(index)}`,
      labels: { 'kubernetes.io/service-name': `service-${String(index)}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'p', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpointsEach }, (_, each) => ({
      addresses: [each === 0 ? addressOf(index, change) : `10.${address(index)}.${String(each)}`],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${String(index % 100)}`,
      zone: `zone-${String(index % 3)}`,
      targetRef: {
        kind: 'Pod',
        name: `pod-${String(index)}-${String(each)}`,
        namespace: 'default',
        uid: crypto.randomUUID(),
      },
    })),
  };
}

function address(index: number): string {
  return `${String(Math.floor(index / 250))}.${String(index % 250)}`;
}

/** The address of the first endpoint of a slice, another one for each change. */
function addressOf(index: number, change: number): string {
  return `11.${address((index + 251 * change) % 60_000)}.${String(change % 250)}`;
}
