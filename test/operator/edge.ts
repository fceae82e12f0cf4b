import { Writable } from 'node:stream';

import type { Condition, RealmRelaySpec, RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import type { Platform } from '../../src/desired/platform.ts';
import { kubeConfigLoader, type KubeConfigLoader } from '../../src/kube/kube-config.ts';
import type { LeaseTerms } from '../../src/kube/lease.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { type Operator, startOperator } from '../../src/operator/operator.ts';
import type { OwnPod } from '../../src/operator/own-image.ts';
import type { FetchRelayReport } from '../../src/operator/relay-client.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Registry } from '../../src/telemetry/metrics.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually, type Patience } from '../support/eventually.ts';

/** An object as the tests read it. */
export type Seen = KubeObject & {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly data?: Record<string, string>;
  readonly status?: RealmRelayStatus;
};

const paths: Readonly<Record<string, string>> = {
  configmaps: '/api/v1',
  services: '/api/v1',
  secrets: '/api/v1',
  pods: '/api/v1',
  deployments: '/apis/apps/v1',
  poddisruptionbudgets: '/apis/policy/v1',
  networkpolicies: '/apis/networking.k8s.io/v1',
  daemonsets: '/apis/apps/v1',
  horizontalpodautoscalers: '/apis/autoscaling/v2',
  realmrelays: '/apis/realm-operator.dev/v1alpha1',
  events: '/apis/events.k8s.io/v1',
  leases: '/apis/coordination.k8s.io/v1',
  endpointslices: '/apis/discovery.k8s.io/v1',
  realmgatewayparameters: '/apis/realm-operator.dev/v1alpha1',
  realmtrafficpolicies: '/apis/realm-operator.dev/v1alpha1',
  gateways: '/apis/gateway.networking.k8s.io/v1',
  tcproutes: '/apis/gateway.networking.k8s.io/v1',
  tlsroutes: '/apis/gateway.networking.k8s.io/v1',
  udproutes: '/apis/gateway.networking.k8s.io/v1',
  referencegrants: '/apis/gateway.networking.k8s.io/v1',
};

/** The objects of a RealmRelay called `web`, as `resource/name`. */
export const childrenOfWeb = ['configmaps/web-config', 'deployments/web', 'services/web'] as const;

/** A spec with one endpoint on `port`. */
export function spec(port = 8443, more: Partial<RealmRelaySpec> = {}): RealmRelaySpec {
  const remotes = [{ address: '192.0.2.7', port: 443 }];
  return { endpoints: [{ name: 'https', listen: { port }, remotes }], ...more };
}

/** A namespace of the control plane, and an operator that looks after it. */
export class Edge {
  readonly namespace: string;
  readonly controlPlane: ControlPlane;
  /** Every line that the operator logged, parsed. */
  readonly logged: Record<string, unknown>[] = [];
  readonly registry = new Registry();
  /** How the operator asks relays; a test may say what they answer. */
  askRelay: FetchRelayReport = () => Promise.reject(new Error('no Pod runs here'));
  /** How time passes for the operator. */
  clock: Clock = systemClock;
  /** What the operator decides about rendering. */
  platform: Platform = {
    relayImage: 'registry.example/realm-relay:test',
    relayEngine: 'auto',
    operatorNamespace: 'operators',
    deniedDestinations: [],
  };
  /** The lease that it works under; none unless a test gives one. */
  lease: LeaseTerms | undefined;
  /** Whether it serves the Gateway API. */
  gatewayApi = false;
  /** The installation that it belongs to. */
  installation = 'operators/test';
  /** The Pod whose image relays get, if there is one. */
  ownPod: OwnPod | undefined;
  readonly #kubeConfig: KubeConfigLoader;
  #operator: Operator | undefined;

  /** @param kubeConfig  as whom the operator works; by default the administrator. */
  constructor(
    controlPlane: ControlPlane,
    namespace: string,
    kubeConfig = kubeConfigLoader({ file: controlPlane.kubeconfig }),
  ) {
    this.controlPlane = controlPlane;
    this.namespace = namespace;
    this.#kubeConfig = kubeConfig;
  }

  /**
   * Starts the operator and resolves when it is ready.
   *
   * @param namespaces  which it looks after; all if there are none.
   */
  async start(namespaces: readonly string[] = [this.namespace]): Promise<void> {
    const lines = new Writable({
      write: (chunk: Buffer, _encoding, written) => {
        this.logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        written();
      },
    });
    this.registry.clear();
    this.#operator = startOperator({
      kubeConfig: this.#kubeConfig,
      platform: this.platform,
      ...(this.ownPod === undefined ? {} : { ownPod: this.ownPod }),
      gatewayApi: this.gatewayApi,
      namespaces,
      installation: this.installation,
      instance: 'test',
      log: createLogger('debug', lines),
      clock: this.clock,
      registry: this.registry,
      fetchRelayReport: this.askRelay,
      ...(this.lease && { lease: this.lease }),
    });
    await this.#operator.ready;
  }

  /** Resolves when the operator has lost its lease. */
  get lost(): Promise<undefined> {
    return this.#operator?.lost ?? new Promise(() => undefined);
  }

  /** Ends the operator; nothing in the cluster changes. */
  async stop(): Promise<void> {
    await this.#operator?.stop();
    this.#operator = undefined;
  }

  /** Applies a RealmRelay as a user would, and resolves with what the API server made of it. */
  async applyRelay(name: string, spec: RealmRelaySpec): Promise<Seen> {
    const body = {
      apiVersion: 'realm-operator.dev/v1alpha1',
      kind: 'RealmRelay',
      metadata: { name, namespace: this.namespace },
      spec,
    };
    return this.write(
      'PATCH',
      `realmrelays/${name}?fieldManager=user&force=true`,
      body,
      'application/apply-patch+yaml',
    );
  }

  /** The object at `resource/name`; undefined where there is none. */
  async find(object: string): Promise<Seen | undefined> {
    const { status, json, text } = await this.controlPlane.request('GET', this.#path(object));
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`${object}: ${String(status)} ${text}`);
    return json() as Seen;
  }

  /** Sends a write and resolves with the answer. @throws Error where it is refused. */
  async write(
    method: string,
    object: string,
    body?: unknown,
    contentType = 'application/merge-patch+json',
  ): Promise<Seen> {
    const { status, json, text } = await this.controlPlane.request(
      method,
      this.#path(object),
      body,
      contentType,
    );
    if (status >= 300) throw new Error(`${method} ${object}: ${String(status)} ${text}`);
    return json() as Seen;
  }

  /** Resolves with the object at `resource/name` once it is there and `holds` of it. */
  expect(
    object: string,
    holds: (object: Seen) => boolean = () => true,
    patience: Patience = {},
  ): Promise<Seen> {
    const what = `${object}: ${holds.toString()}`;
    const probe = async (): Promise<Seen | false> => {
      const found = await this.find(object);
      return found !== undefined && holds(found) && found;
    };
    return eventually(what, probe, patience);
  }

  /** Resolves once there is nothing at `resource/name`. */
  async expectMissing(object: string): Promise<void> {
    await eventually(`${object} is gone`, async () => (await this.find(object)) === undefined);
  }

  /** Resolves with the condition once it has this status and reason, and the status is about the newest spec. */
  async expectCondition(relay: string, type: string, status: string, reason: string): Promise<Condition> {
    const object = await this.expect(`realmrelays/${relay}`, (seen) => {
      const found = condition(seen, type);
      const isNewest = seen.status?.observedGeneration === seen.metadata.generation;
      return isNewest && found?.status === status && found.reason === reason;
    }).catch(async (cause: unknown) => {
      const seen = await this.find(`realmrelays/${relay}`);
      throw new Error(`${relay}: ${type}=${status}/${reason}, but ${JSON.stringify(seen?.status)}`, {
        cause,
      });
    });
    return condition(object, type) ?? Promise.reject(new Error(`no ${type}`));
  }

  /** The children of `web`, once all are there. */
  children(): Promise<Seen[]> {
    return Promise.all(childrenOfWeb.map((child) => this.expect(child)));
  }

  /** What of each child of `web` changes when anything of it does but its status. */
  async versions(): Promise<string[]> {
    const found = await this.children();
    return found.map(
      ({ metadata: { uid = '', generation, resourceVersion = '' } }) =>
        `${uid} ${String(generation ?? resourceVersion)}`,
    );
  }

  /** How often the operator has asked a relay since it started. */
  async questions(): Promise<number> {
    return this.#sum('realm_operator_relay_requests_total');
  }

  /** How many reconciles have ended since the operator started. */
  async turns(): Promise<number> {
    return this.#sum('controller_runtime_reconcile_total');
  }

  /** Resolves when no relay waits for a reconcile and none is under way. */
  async idle(): Promise<void> {
    await eventually('the operator is idle', async () => {
      const waiting = await this.#sum('workqueue_depth');
      return waiting + (await this.#sum('controller_runtime_active_workers')) === 0;
    });
  }

  /** Resolves when the operator has seen `relay`, or a later state of it, and nothing of that is left to do. */
  async noticed({ metadata: { name, resourceVersion = '' } }: Seen): Promise<void> {
    await eventually(`the operator has seen ${name} at ${resourceVersion}`, () => {
      const known = [...(this.#operator?.relays() ?? [])].find(
        ({ key }) => key === `${this.namespace}/${name}`,
      );
      return known?.resourceVersion !== undefined && BigInt(known.resourceVersion) >= BigInt(resourceVersion);
    });
    await this.idle();
  }

  async #sum(name: string): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
  }

  /** The reasons of the events about `relay`, in no order. */
  async eventReasons(relay: string): Promise<string[]> {
    const list = (await this.find('events')) as unknown as {
      items: { reason: string; regarding: { kind: string; name: string } }[];
    };
    return list.items
      .filter(({ regarding }) => regarding.kind === 'RealmRelay' && regarding.name === relay)
      .map(({ reason }) => reason);
  }

  #path(object: string): string {
    const [resource = ''] = object.split(/[/?]/, 1);
    return `${paths[resource] ?? ''}/namespaces/${this.namespace}/${object}`;
  }
}

/** The condition of `type`, where `object` has it. */
export function condition(object: Seen, type: string): Condition | undefined {
  return object.status?.conditions?.find((found) => found.type === type);
}
