import { expect } from 'chai';
import type { RealmRelay, RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';
import { RelayRequests } from './relay-requests.ts';
import { getSecrets, image } from './requester-cases.ts';
import { tenant } from './users.ts';

/** As many endpoints as a RealmRelay may have, each with four Secrets. @param name  of the Secret. */
function largest(name: (index: number) => string): RealmRelay {
  return realmRelay(
    Array.from({ length: 64 }, (_, index) =>
      endpoint({
        name: `e${String(index)}`,
        port: 1000 + index,
        listenTransport: {
          tls: { secretName: name(4 * index), clientCASecretName: name(4 * index + 1) },
        },
        remoteTransport: {
          tls: {
            serverName: 'b',
            caSecretName: name(4 * index + 2),
            clientSecretName: name(4 * index + 3),
          },
        },
      }),
    ),
  );
}

describeWithCluster('a RealmRelay that is changed, by the rights of who changes it', (cluster) => {
  let namespace: string;
  let relays: RelayRequests;
  let plain: ApiClient;

  before(async () => {
    namespace = await cluster().namespace();
    relays = new RelayRequests(namespace);
    plain = await tenant(cluster(), namespace, 'plain');
    await relays.applyPolicy(cluster(), plain);
  });

  describe('of an update', () => {
    const labels = { team: 'edge' };
    const full: RealmRelaySpec = {
      endpoints: [endpoint({ listenTransport: { tls: { secretName: 'web-tls' } } })],
      image,
      podTemplate: {
        metadata: { labels, annotations: labels },
        spec: {
          priorityClassName: 'edge',
          serviceAccountName: 'edge',
          tolerations: [{ operator: 'Exists' }],
        },
      },
      service: { labels, annotations: labels },
      networkPolicy: { enabled: true },
      workload: { hostNetwork: true },
    };

    before(async () => {
      await relays.keep(cluster(), 'full', full);
    });

    const allowed: { what: string; spec: object }[] = [
      { what: 'an edited endpoint', spec: { endpoints: [{ ...full.endpoints[0], balance: 'IPHash' }] } },
      { what: 'an image that is removed', spec: { image: null } },
      { what: 'a label that is removed', spec: { podTemplate: { metadata: { labels: null } } } },
      { what: 'a NetworkPolicy that is removed', spec: { networkPolicy: { enabled: false } } },
    ];
    for (const { what, spec } of allowed) {
      it(`takes ${what}`, async () => {
        const { status, message } = await relays.patch(plain, 'full?dryRun=All', { spec });
        expect(status, message).to.equal(200);
      });
    }

    const more = (name: string): object => ({
      endpoints: [
        ...full.endpoints,
        endpoint({ name, port: 444, listenTransport: { tls: { secretName: 'web-tls' } } }),
      ],
    });
    const refused: { what: string; spec: object; field: string }[] = [
      { what: 'another image', spec: { image: 'example.com/other' }, field: 'spec.image' },
      {
        what: 'another value of a label',
        spec: { podTemplate: { metadata: { labels: { team: 'payments' } } } },
        field: 'spec.podTemplate.metadata.labels["team"]',
      },
      {
        what: 'another value of an annotation of the Service',
        spec: { service: { annotations: { team: 'payments' } } },
        field: 'spec.service.annotations["team"]',
      },
      {
        what: 'another service account',
        spec: { podTemplate: { spec: { serviceAccountName: 'deployer' } } },
        field: 'spec.podTemplate.spec.serviceAccountName',
      },
      {
        what: 'one toleration more',
        spec: { podTemplate: { spec: { tolerations: [{ operator: 'Exists' }, { key: 'a' }] } } },
        field: 'spec.podTemplate.spec.tolerations, of taint "a"',
      },
      {
        what: 'other clients that the NetworkPolicy admits',
        spec: { networkPolicy: { allowFrom: [{ podSelector: {} }] } },
        field: 'spec.networkPolicy',
      },
      {
        what: 'the Secret of one endpoint at another',
        spec: more('again'),
        field: 'spec.endpoints["again"].listenTransport.tls.secretName',
      },
    ];
    for (const { what, spec, field } of refused) {
      it(`refuses ${what}`, async () => {
        const { status, message } = await relays.patch(plain, 'full?dryRun=All', { spec });
        expect(message).to.include(field);
        expect(status).to.equal(403);
      });
    }

    it('says nothing of annotations, scale, status and deletion, though the relay is no longer allowed', async () => {
      const finalizers = { metadata: { annotations: { note: 'kept' }, finalizers: ['example.com/wait'] } };
      expect((await relays.patch(plain, 'full', finalizers)).status).to.equal(200);
      const scaled = await plain.request(
        'PATCH',
        `${relays.path('full')}/scale`,
        { spec: { replicas: 3 } },
        'application/merge-patch+json',
      );
      expect(scaled.status, scaled.text).to.equal(200);
      const operator = cluster().as(`${namespace}-operator`);
      await tenant(cluster(), namespace, 'operator', {
        apiGroups: ['realm-operator.dev'],
        resources: ['realmrelays/status'],
        verbs: ['patch'],
      });
      await eventually('its status is written', async () => {
        const body = { status: { observedGeneration: 1 } };
        return (await relays.patch(operator, 'full/status', body)).status === 200;
      });
      const options = { propagationPolicy: 'Foreground' };
      expect((await plain.request('DELETE', relays.path('full'), options)).status).to.equal(200);
      expect((await relays.patch(plain, 'full', { metadata: { finalizers: null } })).status).to.equal(200);
      await eventually(
        'it is gone',
        async () => (await cluster().request('GET', relays.path('full'))).status === 404,
      );
    });
  });

  describe('of Secrets', () => {
    it('checks 256 of them for a user who may get them all, at 64 endpoints', async () => {
      const user = await tenant(cluster(), namespace, 'all-secrets', getSecrets());
      const relay = largest((index) => `secret-${String(index)}`);
      await eventually('it is taken', async () => (await relays.dryRun(user, relay)).status === 201);
    });

    it('lets go of 256 of them for 256 others', async () => {
      await relays.keep(cluster(), 'many', largest((index) => `secret-${String(index)}`).spec);
      const { spec } = largest((index) => `other-${String(index)}`);
      expect(await relays.patch(cluster(), 'many?dryRun=All', { spec })).to.deep.equal({
        status: 200,
        message: '',
      });
      const { status, message } = await relays.patch(plain, 'many?dryRun=All', { spec });
      expect(message).to.include('spec.endpoints name 256 Secrets that they did not name before');
      expect(status).to.equal(403);
    });

    it('checks each of eight by name, however often they are named, and names the one that is not allowed', async () => {
      const names = Array.from({ length: 8 }, (_, index) => `named-${String(index)}`);
      const relay = largest((index) => names[index % 8] ?? '');
      const user = await tenant(cluster(), namespace, 'eight', getSecrets(...names));
      await eventually('it is taken', async () => (await relays.dryRun(user, relay)).status === 201);
      const seven = await tenant(cluster(), namespace, 'seven', getSecrets(...names.slice(0, 7)));
      await eventually('the last of them is named', async () => {
        const { message } = await relays.dryRun(seven, relay);
        return message.includes(
          'spec.endpoints["e1"].remoteTransport.tls.clientSecretName: you may not get secret "named-7"',
        );
      });
    });
  });
});
