import { expect } from 'chai';
import { apiVersion, plural, type RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import type { Platform } from '../../src/desired/platform.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { goldenRelayManifests } from '../desired/golden-relays.ts';
import { decide, gateway, listener } from '../gateway/world.ts';
import { eventually } from '../support/eventually.ts';
import { parsed, realmRelay } from '../support/realm-relays.ts';
import { operatorAccount, operatorPolicy } from './operator-account.ts';
import { applyPolicy, typeWarnings } from './policies.ts';
import {
  attempts,
  changed,
  hostNetworkLabel,
  hostRoot,
  inPod,
  type Manifest,
  unlabelled,
  withVolume,
} from './operator-attempts.ts';
import type { Answer, Requester } from './relay-requests.ts';

const strategicMergePatch = 'application/strategic-merge-patch+json';
const collections: Readonly<Record<string, string>> = {
  ConfigMap: 'v1/configmaps',
  Service: 'v1/services',
  Pod: 'v1/pods',
  Deployment: 'apps/v1/deployments',
  DaemonSet: 'apps/v1/daemonsets',
  HorizontalPodAutoscaler: 'autoscaling/v2/horizontalpodautoscalers',
  NetworkPolicy: 'networking.k8s.io/v1/networkpolicies',
  PodDisruptionBudget: 'policy/v1/poddisruptionbudgets',
};

/** The objects of `manifest` as the operator applies them, for a RealmRelay in `namespace` with this UID. */
function objectsOf(manifest: RealmRelay, namespace: string, uid: string): Manifest[] {
  const relay = parsed({ ...manifest, metadata: { ...manifest.metadata, namespace, uid } });
  return desiredObjects(relay, platform);
}

const platform: Platform = {
  relayImage: 'example.com/relay:1',
  relayEngine: 'auto',
  operatorNamespace: 'operators',
  deniedDestinations: [],
};

/** Relays that together have an object of every kind. */
const all = [
  realmRelay(undefined, {
    replicas: 2,
    podDisruptionBudget: {},
    autoscaling: { maxReplicas: 3 },
    networkPolicy: { enabled: true },
  }),
  realmRelay(undefined, { workload: { kind: 'DaemonSet' } }),
];

describeWithCluster('the policy of the operator’s own account', (cluster) => {
  let namespace: string;
  let account: ApiClient;
  let uid: string;

  before(async () => {
    namespace = await cluster().namespace();
    const url = `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;
    const made = (
      await cluster().request('POST', url, { ...realmRelay(), metadata: { name: 'web', namespace } })
    ).json();
    ({ uid } = (made as { metadata: { uid: string } }).metadata);
    account = await operatorAccount(cluster(), namespace);
    await applyPolicy(cluster(), namespace, operatorPolicy(namespace), async () => {
      const { message } = await applied(account, changed(ours('ConfigMap'), unlabelled) as Manifest);
      return message.includes('denied request');
    });
  });

  /** An object of this kind as the operator applies it. */
  function ours(kind: string): Manifest {
    const objects = all.flatMap((relay) => objectsOf(relay, namespace, uid));
    const found = objects.find((object) => object.kind === kind);
    if (found === undefined) throw new Error(`no ${kind}`);
    return structuredClone(found);
  }

  function path(kind: string, name = ''): string {
    const [version = '', plural = ''] = (collections[kind] ?? '').split(/\/(?=[a-z]+$)/);
    const root = version === 'v1' ? '/api/v1' : `/apis/${version}`;
    return `${root}/namespaces/${namespace}/${plural}/${name}`;
  }

  async function sent(user: Requester, ...request: Parameters<ApiClient['request']>): Promise<Answer> {
    const { status, json } = await user.request(...request);
    return { status, message: (json() as { message?: string }).message ?? '' };
  }

  /** Applies `object` as the operator does, by default as a dry run. */
  function applied(user: Requester, object: Manifest, query = '&dryRun=All'): Promise<Answer> {
    const url = `${path(object.kind, object.metadata.name)}?fieldManager=realm-operator&force=true${query}`;
    return sent(user, 'PATCH', url, object, 'application/apply-patch+yaml');
  }

  function patched(user: Requester, object: Manifest, body: object): Promise<Answer> {
    return sent(user, 'PATCH', path(object.kind, object.metadata.name), body, strategicMergePatch);
  }

  async function expectMade(object: Manifest): Promise<void> {
    const { status, message } = await sent(cluster(), 'POST', path(object.kind), object);
    expect(status, message).to.equal(201);
  }

  async function allowHostNetwork(value: 'true' | null): Promise<void> {
    const body = { metadata: { labels: { [hostNetworkLabel]: value } } };
    await cluster().request('PATCH', `/api/v1/namespaces/${namespace}`, body, strategicMergePatch);
    const onNodes = objectsOf(goldenRelayManifests['daemon-set-on-nodes'], namespace, uid);
    await eventually('the label counts', async () => {
      const answers = await Promise.all(onNodes.map((object) => applied(account, object)));
      return answers.every(({ status }) => status === 201) === (value === 'true');
    });
  }

  it('has expressions that pass the type check', async () => {
    expect(await typeWarnings(cluster(), namespace)).to.deep.equal([]);
  });

  for (const [name, manifest] of Object.entries(goldenRelayManifests)) {
    it(`allows it to apply every object of ${name}`, async () => {
      const isOnNodes = manifest.spec.workload?.hostNetwork === true;
      if (isOnNodes) await allowHostNetwork('true');
      for (const object of objectsOf(manifest, namespace, uid))
        expect(await applied(account, object)).to.deep.equal({ status: 201, message: '' });
      if (isOnNodes) await allowHostNetwork(null);
    });
  }

  for (const { what, kind, change, refusal } of attempts) {
    it(`refuses ${what}`, async () => {
      const object = ours(kind);
      expect(await applied(account, object)).to.deep.equal({ status: 201, message: '' });
      const attempt = typeof change === 'function' ? change(object) : change;
      const { status, message } = await applied(account, changed(object, attempt) as Manifest);
      expect(message).to.include(refusal);
      expect(status).to.equal(403);
    });
  }

  it('does not restrict others', async () => {
    const workload = ours('DaemonSet');
    const more = changed(withVolume(hostRoot)(workload), inPod({ hostPID: true }));
    const open = changed(workload, more) as Manifest;
    expect(await applied(cluster(), open)).to.deep.equal({ status: 201, message: '' });
  });

  it('protects the objects of others from every use of the token', async () => {
    const data = { Corefile: '.' };
    const foreign: Manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web-config' }, data };
    await expectMade(foreign);
    const none =
      'belongs to no RealmRelay or Gateway: the account of the operator may change and delete only what';
    const answers = [
      await applied(account, ours('ConfigMap')),
      await patched(account, foreign, { metadata: ours('ConfigMap').metadata }),
      await sent(account, 'DELETE', path('ConfigMap', 'web-config')),
    ];
    for (const { status, message } of answers) {
      expect(message).to.include(none);
      expect(status).to.equal(403);
    }
    expect((await sent(cluster(), 'DELETE', path('ConfigMap', 'web-config'))).status).to.equal(200);
  });

  it('allows it to change and delete its own objects, and to restore a label that others removed', async () => {
    const service = ours('Service');
    expect((await applied(account, service, '')).status).to.equal(201);
    const bare = { metadata: { labels: null }, spec: { externalIPs: ['192.0.2.1'] } };
    expect((await patched(cluster(), service, bare)).status).to.equal(200);
    expect(await applied(account, service, '')).to.deep.equal({ status: 200, message: '' });
    expect((await sent(account, 'DELETE', path('Service', 'web'))).status).to.equal(200);
  });

  it('allows it to own again what nobody owns and it applied, and not to delete that', async () => {
    const service = ours('Service');
    const hashed = changed(service, {
      metadata: { annotations: { 'realm-operator.dev/applied-hash': 'a' } },
    }) as Manifest;
    expect((await applied(account, hashed, '')).status).to.equal(201);
    expect((await patched(cluster(), service, { metadata: { ownerReferences: null } })).status).to.equal(200);
    const { status, message } = await sent(account, 'DELETE', path('Service', 'web'));
    expect(message).to.include('belongs to no RealmRelay');
    expect(status).to.equal(403);
    const others = changed(hashed, { metadata: { ownerReferences: null } }) as Manifest;
    expect((await applied(account, others)).message).to.include('is not named after a RealmRelay');
    expect(await applied(account, hashed, '')).to.deep.equal({ status: 200, message: '' });
    expect((await sent(account, 'DELETE', path('Service', 'web'))).status).to.equal(200);
  });

  it('allows it to update a Deployment to which others added containers and volumes', async () => {
    const deployment = ours('Deployment');
    expect((await applied(account, deployment, '')).status).to.equal(201);
    const sidecar = { name: 'sidecar', image: 'a', securityContext: { privileged: true } };
    const added = { spec: { template: { spec: { containers: [sidecar], volumes: [hostRoot] } } } };
    const byOthers = await patched(cluster(), deployment, added);
    expect(byOthers.status, byOthers.message).to.equal(200);
    const next = changed(deployment, { spec: { minReadySeconds: 1 } }) as Manifest;
    expect(await applied(account, next)).to.deep.equal({ status: 200, message: '' });
    expect((await sent(account, 'DELETE', path('Deployment', 'web'))).status).to.equal(200);
  });

  it('leaves objects of a RealmRelay that does not exist to garbage collection', async () => {
    const gone = '0c3f1e0e-0000-4000-8000-000000000000';
    const [object] = objectsOf(realmRelay(), namespace, gone);
    if (object === undefined) throw new Error('no ConfigMap');
    expect((await applied(account, object, '')).status).to.equal(201);
    await eventually(
      'it is gone',
      async () => (await sent(cluster(), 'GET', path('ConfigMap', 'web-config'))).status === 404,
      { timeoutMs: 50_000 },
    );
  });

  describe('of a Gateway', () => {
    function ofGateway(name: string): Manifest[] {
      const owner = gateway([listener('db', 5432)]);
      const { relay } = decide({ ...owner, metadata: { ...owner.metadata, name, namespace } }, []);
      return relay === undefined ? [] : desiredObjects(relay, platform);
    }

    for (const name of ['web', 'web.example.com', '1st.example', `${'long-'.repeat(40)}name`])
      it(`allows it to apply every object of ${name}`, async () => {
        const objects = ofGateway(name);
        expect(objects).to.have.lengthOf(3);
        for (const object of objects)
          expect(await applied(account, object)).to.deep.equal({ status: 201, message: '' });
      });

    const instance = (name: string): object => ({ labels: { 'app.kubernetes.io/instance': name } });
    const ownedBy = (change: object): object => ({
      ownerReferences: [
        {
          apiVersion: 'gateway.networking.k8s.io/v1',
          kind: 'Gateway',
          name: 'web',
          uid: 'u',
          controller: true,
          ...change,
        },
      ],
    });
    const refused: { what: string; metadata: object; spec?: object; refusal: string }[] = [
      {
        what: 'the name of an object of another Gateway',
        metadata: { name: 'other-realm' },
        refusal: 'is not named after',
      },
      {
        what: 'the label of another Gateway',
        metadata: instance('other-realm'),
        refusal: 'is not named after',
      },
      {
        what: 'name and label of a Gateway whose name begins with its own',
        metadata: { name: 'website-realm', ...instance('website-realm') },
        refusal: 'is not named after',
      },
      {
        what: 'a Gateway of another API as its owner',
        metadata: ownedBy({ apiVersion: 'example.com/v1' }),
        refusal: 'is not named after',
      },
      {
        what: 'a Gateway that does not control it',
        metadata: ownedBy({ controller: false }),
        refusal: 'is not named after',
      },
      {
        what: 'the Pods of a RealmRelay',
        metadata: {},
        spec: { selector: { 'app.kubernetes.io/instance': 'web' } },
        refusal: 'selects other Pods than those of its owner',
      },
    ];
    for (const { what, metadata, spec = {}, refusal } of refused)
      it(`refuses ${what}`, async () => {
        const service = ofGateway('web').find(({ kind }) => kind === 'Service');
        const { status, message } = await applied(account, changed(service, { metadata, spec }) as Manifest);
        expect(message).to.include(refusal);
        expect(status).to.equal(403);
      });
  });

  describe('of a Pod', () => {
    const hash = 'realm-operator.dev/config-hash';
    const relayPod: Manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'web-abc',
        labels: { 'app.kubernetes.io/managed-by': 'realm-operator' },
        annotations: { team: 'edge' },
      },
      spec: { containers: [{ name: 'relay', image: 'a' }] },
    };
    const otherPod: Manifest = { ...relayPod, metadata: { name: 'other' } };

    before(async () => {
      await eventually('a service account for Pods', async () => {
        return (await sent(cluster(), 'POST', `${path('Pod')}?dryRun=All`, relayPod)).status === 201;
      });
      await expectMade(relayPod);
      await expectMade(otherPod);
    });

    it('allows it to announce a configuration', async () => {
      for (const value of ['a', 'b']) {
        const answer = await patched(account, relayPod, { metadata: { annotations: { [hash]: value } } });
        expect(answer).to.deep.equal({ status: 200, message: '' });
      }
    });

    const image = { spec: { containers: [{ name: 'relay', image: 'example.com/shell' }] } };
    const refused: { what: string; pod: Manifest; body: object }[] = [
      { what: 'another image', pod: relayPod, body: image },
      { what: 'a label', pod: relayPod, body: { metadata: { labels: { app: 'payments' } } } },
      { what: 'another annotation', pod: relayPod, body: { metadata: { annotations: { team: 'a' } } } },
      { what: 'a removed annotation', pod: relayPod, body: { metadata: { annotations: { team: null } } } },
      { what: 'a finalizer', pod: relayPod, body: { metadata: { finalizers: ['example.com/a'] } } },
      { what: 'the Pod of others', pod: otherPod, body: { metadata: { annotations: { [hash]: 'a' } } } },
    ];
    for (const { what, pod, body } of refused) {
      it(`refuses ${what}`, async () => {
        const { status, message } = await patched(account, pod, body);
        expect(message).to.include(
          'may change the annotation realm-operator.dev/config-hash, and nothing else',
        );
        expect(status).to.equal(403);
      });
    }
  });
});
