import { expect } from 'chai';
import { apiVersion, plural, type RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { applyPolicy, type PolicyManifest } from '../admission/policies.ts';
import { tenant } from '../admission/users.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { realmRelay } from '../support/realm-relays.ts';
import { matrix, rendered } from './chart.ts';

describeWithHelm('chart: what the platform lets everyone write', (helm) => {
  describeWithCluster('on the API server', (cluster) => {
    let namespace: string;
    let user: ApiClient;

    before(async () => {
      namespace = await cluster().namespace();
      user = await tenant(cluster(), namespace, 'plain');
      const name = 'requester.realmrelays.realm-operator.dev';
      const all = await rendered(helm, matrix['more for everyone']);
      const manifests = all.filter(({ metadata }) => metadata.name === name) as unknown as PolicyManifest[];
      expect(manifests).to.have.lengthOf(2);
      await applyPolicy(cluster(), namespace, manifests, async () => {
        return (await created({ image: 'example.com/anything' })).status === 403;
      });
    });

    async function created(
      spec: Omit<RealmRelaySpec, 'endpoints'>,
    ): Promise<{ status: number; message: string }> {
      const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}?dryRun=All`;
      const relay = { ...realmRelay(undefined, spec), metadata: { name: 'web', namespace } };
      const { status, json } = await user.request('POST', path, relay);
      return { status, message: (json() as { message?: string }).message ?? '' };
    }

    const labels = { 'team.example.com/name': 'edge', 'realm-operator.dev/tier': 'a', 'cost-centre': '7' };
    const allowed: Record<string, Omit<RealmRelaySpec, 'endpoints'>> = {
      'keys with its prefixes': {
        podTemplate: { metadata: { labels, annotations: labels } },
        service: { labels, annotations: labels },
      },
      'its priority classes': { podTemplate: { spec: { priorityClassName: 'edge-low' } } },
      'its taints': {
        podTemplate: {
          spec: {
            tolerations: [
              { key: 'dedicated', value: 'a' },
              { key: 'example.com/edge', operator: 'Exists' },
            ],
          },
        },
      },
    };
    for (const [what, spec] of Object.entries(allowed)) {
      it(`takes ${what}`, async () => {
        expect(await created(spec)).to.deep.equal({ status: 201, message: '' });
      });
    }

    const refused: { what: string; spec: Omit<RealmRelaySpec, 'endpoints'>; remedy: string }[] = [
      {
        what: 'another key',
        spec: { service: { labels: { 'example.com/name': 'edge' } } },
        remedy: 'use a key that begins with realm-operator.dev/ or team.example.com/ or cost-centre, or ask',
      },
      {
        what: 'another priority class',
        spec: { podTemplate: { spec: { priorityClassName: 'system-node-critical' } } },
        remedy: 'use edge or edge-low, remove it, or ask for the right to create pods',
      },
      {
        what: 'every taint',
        spec: { podTemplate: { spec: { tolerations: [{ key: 'dedicated' }, { operator: 'Exists' }] } } },
        remedy: 'of every taint: you may not create pods',
      },
    ];
    for (const { what, spec, remedy } of refused) {
      it(`refuses ${what}, and reports what is allowed`, async () => {
        const { status, message } = await created(spec);
        expect(message).to.include(remedy);
        expect(status).to.equal(403);
      });
    }
  });
});
