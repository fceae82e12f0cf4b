import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Condition } from '../../../src/api/schema/realm-relay.ts';
import type {
  GatewayStatus,
  Listener,
  PolicyAncestorStatus,
  RouteKind,
  RouteParentStatus,
} from '../../../src/gateway/types.ts';
import { type ControlPlane, startControlPlane } from '../../cluster/control-plane.ts';
import { crdsServed, gatewayCrds, hasGatewayCrds } from '../../cluster/crds.ts';
import { describeWithCluster } from '../../cluster/shared.ts';
import { eventually } from '../../support/eventually.ts';
import { JumpingClock } from '../../support/jumping-clock.ts';
import { Edge, type Seen } from '../edge.ts';

const ownCrds = ['realmrelays', 'realmgatewayparameters', 'realmtrafficpolicies'].map((plural) =>
  join(import.meta.dirname, '..', '..', '..', 'crds', `${plural}.yaml`),
);
const group = 'gateway.networking.k8s.io/v1';
const classes = `/apis/${group}/gatewayclasses`;

/** The name of the GatewayClass of this controller. */
const className = 'realm';

export type SeenGateway = Omit<Seen, 'status'> & { readonly status?: GatewayStatus };
export type SeenPolicy = Omit<Seen, 'status'> & { readonly status?: { ancestors?: PolicyAncestorStatus[] } };
export type SeenRoute = Omit<Seen, 'status'> & { readonly status?: { parents?: RouteParentStatus[] } };

/** A suite on a control plane of its own; `kinds` are there from the start, or later by `installKinds`. */
export function describeGateways(title: string, body: (controlPlane: () => ControlPlane) => void): void {
  if (!hasGatewayCrds) {
    describe.skip(`${title} (skipped: \`make cluster\` could not fetch the CRDs of the Gateway API)`, () => {
      it('works');
    });
    return;
  }
  describeWithCluster(title, () => {
    let own: ControlPlane;
    before(async () => {
      own = await startControlPlane({ manifests: ownCrds, controllerManager: false });
    });
    after(() => own.stop());
    body(() => own);
  });
}

/** Applies the CRDs of the kinds, all if none is named, and resolves once they are served. */
export async function installKinds(controlPlane: ControlPlane, ...plurals: string[]): Promise<void> {
  const files = readdirSync(gatewayCrds).filter(
    (file) => plurals.length === 0 || plurals.some((plural) => file.endsWith(`_${plural}.yaml`)),
  );
  const kubectl = async (args: readonly string[]): Promise<void> => {
    const { code, stderr } = await controlPlane.kubectl(args);
    if (code !== 0) throw new Error(stderr);
  };
  await kubectl(['apply', '--server-side', ...files.map((file) => `--filename=${join(gatewayCrds, file)}`)]);
  await crdsServed(kubectl);
}

/** A namespace with an operator that serves Gateways in it. */
export class GatewayEdge extends Edge {
  override gatewayApi = true;
  override readonly clock = new JumpingClock();

  /** Creates the GatewayClass `name` of this controller, or of another one. */
  async applyClass(
    name = className,
    controllerName = 'realm-operator.dev/gateway-controller',
  ): Promise<void> {
    await this.#apply(`${classes}/${name}`, {
      apiVersion: group,
      kind: 'GatewayClass',
      metadata: { name },
      spec: { controllerName },
    });
  }

  async deleteClass(name = className): Promise<void> {
    await this.controlPlane.request('DELETE', `${classes}/${name}`);
  }

  /** Applies the Gateway `web` with these listeners. */
  async applyGateway(listeners: readonly Listener[], more: object = {}): Promise<void> {
    await this.applyObject('gateways/web', group, 'Gateway', {
      gatewayClassName: className,
      listeners,
      ...more,
    });
  }

  /** Applies a route to Service `backend`, port 80, by default for all listeners of `web`. */
  async applyRoute(
    kind: RouteKind,
    name: string,
    backends: readonly object[],
    spec: { readonly parentRefs?: readonly object[]; readonly hostnames?: readonly string[] } = {},
  ): Promise<void> {
    const backendRefs = backends.map((ref) => ({ port: 80, ...ref }));
    await this.applyObject(`${kind.toLowerCase()}s/${name}`, group, kind, {
      parentRefs: [{ name: 'web' }],
      ...spec,
      rules: [{ backendRefs }],
    });
  }

  /** Applies the RealmTrafficPolicy `name` for these targets, each as `KIND/NAME` or `Gateway/NAME/LISTENER`. */
  async applyPolicy(name: string, targets: readonly string[], fields: object): Promise<void> {
    const targetRefs = targets.map((target) => {
      const [kind, object, sectionName] = target.split('/');
      return { group: 'gateway.networking.k8s.io', kind, name: object, ...(sectionName && { sectionName }) };
    });
    await this.applyObject(
      `realmtrafficpolicies/${name}`,
      'realm-operator.dev/v1alpha1',
      'RealmTrafficPolicy',
      { targetRefs, ...fields },
    );
  }

  /** Resolves with `status.ancestors` of a policy once these are its reasons, in the order of its targets. */
  async expectReasons(
    policy: string,
    ...reasons: readonly string[]
  ): Promise<readonly PolicyAncestorStatus[]> {
    const seen = (await this.expect(`realmtrafficpolicies/${policy}`, (object) => {
      const { status } = object as unknown as SeenPolicy;
      const own = status?.ancestors?.filter((each) => each.controllerName.startsWith('realm-operator.dev/'));
      return own?.map(({ conditions }) => conditions[0]?.reason).join() === reasons.join();
    })) as unknown as SeenPolicy;
    return seen.status?.ancestors ?? [];
  }

  /** Creates a Service of one port, and a slice with these addresses on port 8080, by hand. */
  async applyBackend(name: string, addresses: readonly string[], protocol = 'TCP'): Promise<void> {
    await this.applyObject(`services/${name}`, 'v1', 'Service', {
      ports: [{ name: 'p', port: 80, protocol }],
    });
    await this.applySlice(name, addresses, protocol);
  }

  async applySlice(service: string, addresses: readonly string[], protocol = 'TCP'): Promise<void> {
    const slice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: service, labels: { 'kubernetes.io/service-name': service } },
      addressType: 'IPv4',
      ports: [{ name: 'p', port: 8080, protocol }],
      endpoints: addresses.map((address) => ({ addresses: [address] })),
    };
    await this.write(
      'PATCH',
      `endpointslices/${service}?fieldManager=user&force=true`,
      slice,
      'application/apply-patch+yaml',
    );
  }

  async applyObject(object: string, apiVersion: string, kind: string, spec: object): Promise<void> {
    const name = object.split('/')[1] ?? '';
    const body = { apiVersion, kind, metadata: { name }, spec };
    await this.write('PATCH', `${object}?fieldManager=user&force=true`, body, 'application/apply-patch+yaml');
  }

  /** Reports the Deployment of `web` ready, and its Service at an address, as their controllers do. */
  async makeReady(): Promise<void> {
    const { metadata } = await this.expect('deployments/web-realm');
    const pods = { replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 };
    await this.write('PATCH', 'deployments/web-realm/status', {
      status: { ...pods, observedGeneration: metadata.generation },
    });
    await this.expect('services/web-realm');
    const ingress = [{ ip: '2001:db8::80' }, { ip: '192.0.2.80' }];
    await this.write('PATCH', 'services/web-realm/status', { status: { loadBalancer: { ingress } } });
  }

  /** Resolves with the Gateway `web` once `holds` of it. */
  expectGateway(holds: (gateway: SeenGateway) => boolean): Promise<SeenGateway> {
    return this.expect('gateways/web', (seen) =>
      holds(seen as unknown as SeenGateway),
    ) as unknown as Promise<SeenGateway>;
  }

  /** Resolves once the operator watches EndpointSlices of the namespace, or no longer does, by the API server's own count. */
  async expectSliceWatches(count: number): Promise<void> {
    const labels = ['resource="endpointslices"', 'scope="namespace"', 'verb="WATCH"'];
    await eventually(`${String(count)} watches of EndpointSlices`, async () => {
      const { text } = await this.controlPlane.request('GET', '/metrics');
      const line = text
        .split('\n')
        .find(
          (each) =>
            each.startsWith('apiserver_longrunning_requests{') &&
            labels.every((label) => each.includes(label)),
        );
      return Number(line?.split(' ').at(-1) ?? 0) === count;
    });
  }

  /** Resolves with the condition of Gateway `web` once it has this status and reason, for the newest spec. */
  async expectOfGateway(type: string, status: string, reason: string): Promise<Condition> {
    let seen: Condition | undefined;
    await this.expectGateway((gateway) => {
      seen = gateway.status?.conditions?.find((each) => each.type === type);
      return (
        seen?.status === status &&
        seen.reason === reason &&
        seen.observedGeneration === gateway.metadata.generation
      );
    }).catch((cause: unknown) => {
      throw new Error(`${type}=${status}/${reason}, but ${JSON.stringify(seen)}`, { cause });
    });
    return seen as Condition;
  }

  /** Resolves with `status.parents` of a route once `holds` of them. */
  async expectParents(
    route: string,
    holds: (parents: readonly RouteParentStatus[]) => boolean,
  ): Promise<readonly RouteParentStatus[]> {
    const seen = (await this.expect(route, (object) => {
      const { status } = object as unknown as SeenRoute;
      return holds(status?.parents ?? []);
    })) as unknown as SeenRoute;
    return seen.status?.parents ?? [];
  }

  /** Resolves once the configuration of `web` has these remotes, sorted, of all endpoints. */
  async expectRemotes(...remotes: readonly string[]): Promise<void> {
    await this.expect('configmaps/web-realm-config', ({ data }) => remotesOf(data).join() === remotes.join());
  }

  async #apply(path: string, body: object): Promise<void> {
    const url = `${path}?fieldManager=user&force=true`;
    const { status, text } = await this.controlPlane.request(
      'PATCH',
      url,
      body,
      'application/apply-patch+yaml',
    );
    if (status >= 300) throw new Error(`${path}: ${String(status)} ${text}`);
  }
}

type Document = { endpoints: { remote: string; extra_remotes?: string[] }[] };

/** The remotes of all endpoints in the data of a ConfigMap, sorted. */
export function remotesOf(data: Readonly<Record<string, string>> = {}): string[] {
  const { endpoints } = JSON.parse(data['config.json'] ?? '{"endpoints":[]}') as Document;
  return endpoints.flatMap(({ remote, extra_remotes: more = [] }) => [remote, ...more]).toSorted();
}
