import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { childrenOfWeb, condition, type Edge, type Seen, spec } from '../operator/edge.ts';

/** What a scenario works with. */
export type User = {
  /** Reads and writes as a user does, past the faults. */
  readonly edge: Edge;
  /** Resolves once `probe` does so with true; time passes for the operator meanwhile. */
  readonly until: (what: string, probe: () => Promise<boolean>) => Promise<void>;
  /** Ends the operator, and starts it with another default image, as an upgrade does. */
  readonly upgrade: (relayImage: string) => Promise<void>;
};

/** Things that users do, one after the other. */
export type Scenario = {
  readonly name: string;
  readonly run: (user: User) => Promise<void>;
  /** The same at a pace at which the operator follows every step of it; default `run`. The calm run is at this pace. */
  readonly slowly?: (user: User) => Promise<void>;
  /** Whether the operator works under a lease. */
  readonly underLease?: boolean;
};

const proxied = { sendProxy: { enabled: true } };
const onNodes = { kind: 'DaemonSet', hostNetwork: true } as const;
const ranged: RealmRelaySpec['endpoints'] = [
  { name: 'game', listen: { port: 7000, endPort: 7009 }, remotes: [{ address: '192.0.2.9', port: 7000 }] },
];

/** An edit of each part of the spec, and back again where others depend on it. */
const edits: readonly Partial<RealmRelaySpec>[] = [
  { replicas: 3 },
  { replicas: 2, network: { udp: true } },
  { network: proxied },
  { service: { type: 'NodePort', externalTrafficPolicy: 'Local' } },
  { service: { annotations: { 'example.com/a': 'b' }, labels: { team: 'edge' } } },
  { image: 'registry.example/realm-relay:other' },
  { resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '128Mi' } } },
  { podTemplate: { spec: { nodeSelector: { pool: 'edge' }, tolerations: [{ operator: 'Exists' }] } } },
  { logLevel: 'debug', drainSeconds: 5, updateStrategy: 'Rollout' },
  { autoscaling: { maxReplicas: 4 }, resources: { requests: { cpu: '100m' } } },
  { replicas: 2, podDisruptionBudget: { maxUnavailable: 1 } },
  { networkPolicy: { enabled: true, allowFrom: [{ ipBlock: { cidr: '192.0.2.0/24' } }] } },
  { workload: { kind: 'DaemonSet' } },
  { endpoints: ranged },
  { service: { enabled: false } },
  { paused: true },
  {},
];

/** What users do to RealmRelays, and what happens around them. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'create',
    run: async (user) => {
      await user.edge.applyRelay('web', spec(8443, { replicas: 2, podDisruptionBudget: {} }));
      await user.edge.applyRelay('game', { endpoints: ranged, network: { udp: true, tcp: false } });
      await followed(user, 'web');
      await followed(user, 'game');
    },
  },
  { name: 'edit each field', run: editEach },
  {
    name: 'edit without waiting',
    run: async (user) => {
      for (const edit of edits) await user.edge.applyRelay('web', spec(8443, edit));
      await followed(user, 'web');
    },
    slowly: editEach,
  },
  {
    name: 'scale',
    run: async (user) => {
      await user.edge.applyRelay('web', spec());
      for (const replicas of [3, 0, 2]) {
        await user.edge.write('PATCH', 'realmrelays/web/scale', { spec: { replicas } });
        await followed(user, 'web');
      }
    },
  },
  {
    name: 'conflict and repair',
    run: async (user) => {
      const theirs = { metadata: { name: 'web' }, spec: { ports: [{ port: 80 }] } };
      const { metadata } = await user.edge.write('POST', 'services', theirs, 'application/json');
      await user.edge.applyRelay('web', spec());
      await reported(user, 'web', 'ResourceConflict');
      const left = await user.edge.find('services/web');
      if (left?.metadata.resourceVersion !== metadata.resourceVersion)
        throw new Error('the Service of somebody else was touched');
      await user.edge.write('DELETE', 'services/web');
      await followed(user, 'web');
      await user.edge.write('DELETE', 'configmaps/web-config');
      await user.edge.write('PATCH', 'services/web', { spec: { ports: [{ name: 'x', port: 1 }] } });
      await user.until('both are repaired', async () => {
        const [map, service] = await Promise.all([
          user.edge.find('configmaps/web-config'),
          user.edge.find('services/web'),
        ]);
        return map !== undefined && JSON.stringify(service?.spec?.['ports']).includes('8443');
      });
    },
  },
  {
    name: 'a clash on hostNetwork',
    run: async (user) => {
      await user.edge.applyRelay('web', spec(8443, { workload: onNodes }));
      await user.edge.applyRelay('other', spec(8443, { workload: onNodes }));
      await user.until('both know of each other', async () => {
        const seen = await Promise.all(['web', 'other'].map((name) => user.edge.find(`realmrelays/${name}`)));
        return seen.every((relay) => relay && condition(relay, 'Accepted')?.reason === 'HostPortConflict');
      });
      await user.edge.applyRelay('other', spec(8443, { workload: { kind: 'Deployment' } }));
      await followed(user, 'other');
    },
  },
  {
    name: 'a Secret is rotated',
    run: async (user) => {
      const [endpoint] = spec().endpoints;
      if (endpoint === undefined) return;
      await writeSecret(user, 'one');
      const listenTransport = { tls: { secretName: 'web-tls' } };
      await user.edge.applyRelay('web', { endpoints: [{ ...endpoint, listenTransport }] });
      await followed(user, 'web');
      await writeSecret(user, 'two');
    },
  },
  {
    name: 'delete and create',
    run: async (user) => {
      await user.edge.applyRelay('web', spec());
      await followed(user, 'web');
      await user.edge.write('DELETE', 'realmrelays/web');
      await user.edge.applyRelay('web', spec(9443));
      await followed(user, 'web');
    },
  },
  {
    name: 'delete during a rollout',
    run: async (user) => {
      await beginRollout(user);
      await deleteWeb(user);
    },
    slowly: async (user) => {
      await beginRollout(user);
      await followed(user, 'web');
      await deleteWeb(user);
    },
  },
  {
    name: 'the namespace is deleted',
    run: async (user) => {
      await user.edge.applyRelay('web', spec());
      await followed(user, 'web');
      await user.edge.applyRelay('web', spec(9443));
      const { controlPlane, namespace } = user.edge;
      await controlPlane.request('DELETE', `/api/v1/namespaces/${namespace}`);
      await user.until('it is gone', async () => {
        const { status } = await controlPlane.request('GET', `/api/v1/namespaces/${namespace}`);
        return status === 404;
      });
    },
  },
  {
    name: 'the operator is upgraded',
    run: async (user) => {
      await user.edge.applyRelay('web', spec());
      await followed(user, 'web');
      await user.upgrade('registry.example/realm-relay:next');
      await user.edge.applyRelay('web', spec(9443));
      await followed(user, 'web');
    },
  },
  {
    name: 'the lease is lost',
    underLease: true,
    run: async (user) => {
      await user.edge.applyRelay('web', spec());
      await followed(user, 'web');
      await takeLease(user);
      for (const port of [9443, 10_443]) {
        await user.edge.applyRelay('web', spec(port));
        await followed(user, 'web');
      }
    },
  },
];

async function beginRollout(user: User): Promise<void> {
  await user.edge.applyRelay('web', spec(8443, { replicas: 2 }));
  await followed(user, 'web');
  const image = 'registry.example/realm-relay:other';
  await user.edge.applyRelay('web', spec(8443, { replicas: 2, image }));
}

/** Deletes the relay; resolves once its objects are gone. */
async function deleteWeb(user: User): Promise<void> {
  await user.edge.write('DELETE', 'realmrelays/web');
  await user.until('its objects are gone', async () => {
    const found = await Promise.all(childrenOfWeb.map((child) => user.edge.find(child)));
    return found.every((child) => child === undefined);
  });
}

async function editEach(user: User): Promise<void> {
  for (const edit of edits) {
    await user.edge.applyRelay('web', spec(8443, edit));
    await (edit.paused === true ? observed(user, 'web') : followed(user, 'web'));
  }
}

/** Resolves once all of the newest spec is applied. */
function followed(user: User, name: string): Promise<void> {
  return reported(user, name, 'Programmed');
}

/** Resolves once `Programmed` has this reason, for the newest spec. */
function reported(user: User, name: string, reason: string): Promise<void> {
  return user.until(`${name} is ${reason}`, async () => {
    const seen = await user.edge.find(`realmrelays/${name}`);
    return seen !== undefined && isObserved(seen) && condition(seen, 'Programmed')?.reason === reason;
  });
}

/** Resolves once the operator has seen the newest spec. */
function observed(user: User, name: string): Promise<void> {
  return user.until(`${name} is observed`, async () => {
    const seen = await user.edge.find(`realmrelays/${name}`);
    return seen !== undefined && isObserved(seen);
  });
}

function isObserved({ status, metadata }: Seen): boolean {
  return status?.observedGeneration === metadata.generation;
}

/** Takes the operator's lease as another operator does, which then is silent. */
async function takeLease({ edge }: User): Promise<void> {
  const lease = { holderIdentity: 'another operator', leaseDurationSeconds: 2 };
  await edge.write('PATCH', 'leases/realm-operator', { spec: lease });
}

async function writeSecret({ edge }: User, value: string): Promise<void> {
  const data = { 'tls.crt': value, 'tls.key': value };
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'web-tls' }, stringData: data };
  await edge.write('PATCH', 'secrets/web-tls?fieldManager=user', body, 'application/apply-patch+yaml');
}
