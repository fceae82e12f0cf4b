import { expect } from 'chai';
import { customResourceDefinition } from '../../src/api/crd.ts';
import type { ApiClient } from '../cluster/api-client.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { goldenRelayManifests } from '../desired/golden-relays.ts';
import { eventually } from '../support/eventually.ts';
import { realmRelay } from '../support/realm-relays.ts';
import { typeWarnings } from './policies.ts';
import { RelayRequests } from './relay-requests.ts';
import {
  cases,
  createPods,
  createNetworkPolicies,
  createServices,
  getSecrets,
  image,
  secretFields,
  withPod,
} from './requester-cases.ts';
import { grantInCluster, type Rule, tenant } from './users.ts';

const hostNetworkLabel = 'realm-operator.dev/allow-host-network';
const useHostNetwork: Rule = {
  apiGroups: ['realm-operator.dev'],
  resources: ['hostnetwork'],
  verbs: ['use'],
};

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema };

/** The schema of `spec`. */
function specSchema(): Schema {
  const { spec } = customResourceDefinition() as unknown as {
    spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] };
  };
  return at(spec.versions[0].schema.openAPIV3Schema, 'spec');
}

function at(schema: Schema, ...path: string[]): Schema {
  return path.reduce((inner, name) => inner.properties?.[name] ?? {}, schema);
}

/** Paths of the fields below `schema` that name a Secret. */
function secretPaths({ properties = {} }: Schema, path: readonly string[] = []): string[] {
  return Object.entries(properties).flatMap(([name, inner]) =>
    /secretName$/i.test(name) ? [[...path, name].join('.')] : secretPaths(inner, [...path, name]),
  );
}

describeWithCluster('a new RealmRelay, checked by the rights of its user', (cluster) => {
  let namespace: string;
  let relays: RelayRequests;
  let plain: ApiClient;

  before(async () => {
    namespace = await cluster().namespace();
    relays = new RelayRequests(namespace);
    plain = await tenant(cluster(), namespace, 'plain', getSecrets('free'));
    await relays.applyPolicy(cluster(), plain);
  });

  it('has expressions that pass the type check', async () => {
    expect(await typeWarnings(cluster(), namespace)).to.deep.equal([]);
  });

  it('accepts a relay without privileged fields from a user with no other rights', async () => {
    const {
      podTemplate,
      service,
      networkPolicy,
      image: _,
      ...spec
    } = goldenRelayManifests['every-field'].spec;
    const { annotations: _a, labels: _l, ...rest } = service ?? {};
    const labels = { 'realm-operator.dev/tier': 'edge' };
    const metadata = { labels, annotations: labels };
    const relay = realmRelay(spec.endpoints, {
      ...spec,
      service: { ...rest, labels, annotations: labels },
      podTemplate: { metadata },
      commonMetadata: metadata,
      workload: { kind: 'DaemonSet' },
    });
    expect([podTemplate, networkPolicy]).not.to.include(undefined);
    expect(await relays.dryRun(plain, relay)).to.deep.equal({ status: 201, message: '' });
  });

  for (const [name, manifest] of Object.entries(goldenRelayManifests)) {
    it(`accepts ${name} from an administrator`, async () => {
      expect(await relays.dryRun(cluster(), manifest)).to.deep.equal({ status: 201, message: '' });
    });
  }

  for (const [index, { what, relay, right, refusal }] of cases.entries()) {
    it(`requires the right to ${right.verbs.join()} ${right.resources.join()} for ${what}`, async () => {
      const { status, message } = await relays.dryRun(plain, relay);
      expect(message).to.include(refusal.replaceAll('NS', namespace));
      expect(status).to.equal(403);
      const other = index % 2 === 0 ? createServices : createNetworkPolicies; // does not help, unless it is the required one
      const user = await tenant(
        cluster(),
        namespace,
        `with-${String(index)}`,
        right,
        other,
        getSecrets('free'),
      );
      await eventually('it is taken', async () => (await relays.dryRun(user, relay)).status === 201);
    });
  }

  it('requires the rights to create pods and services for a label of every object', async () => {
    const relay = realmRelay(undefined, { commonMetadata: { labels: { app: 'payments' } } });
    const halves = [
      { right: createServices, lacks: 'pods' },
      { right: createPods, lacks: 'services' },
    ];
    for (const { right, lacks } of halves) {
      const user = await tenant(cluster(), namespace, `not-${lacks}`, right);
      await eventually('the one right is in force', async () => {
        const { status, message } = await relays.dryRun(user, relay);
        const refusal = `spec.commonMetadata.labels["app"]: you may not create ${lacks} in namespace "${namespace}"`;
        return status === 403 && message.includes(refusal);
      });
    }
    const user = await tenant(cluster(), namespace, 'of-both', createPods, createServices);
    await eventually('it is accepted', async () => (await relays.dryRun(user, relay)).status === 201);
  });

  it('requires create pods for every field of podTemplate.spec, including fields that are added later', async () => {
    const { spec = {} } = goldenRelayManifests['every-field'].spec.podTemplate ?? {};
    const fields = Object.keys(at(specSchema(), 'podTemplate', 'spec').properties ?? {});
    expect(Object.keys(spec)).to.have.members(fields);
    for (const [field, value] of Object.entries(spec)) {
      const { status, message } = await relays.dryRun(plain, withPod({ [field]: value }));
      expect([status, message.includes(`spec.podTemplate.spec.${field}`)], message).to.deep.equal([
        403,
        true,
      ]);
    }
  });

  it('knows every field that names a Secret', () => {
    const fields = secretFields('any').map(({ field }) => field);
    expect(secretPaths(at(specSchema(), 'endpoints').items ?? {})).to.have.members(fields);
    const { endpoints: _, podTemplate: _p, ...others } = specSchema().properties ?? {};
    expect(secretPaths({ properties: others })).to.deep.equal([]);
  });

  describe('hostNetwork', () => {
    const relay = realmRelay(undefined, { workload: { hostNetwork: true } });

    it('requires a label of the namespace, or a right in the whole cluster', async () => {
      const { status, message } = await relays.dryRun(plain, relay);
      expect(message).to.include(
        `spec.workload.hostNetwork: namespace "${namespace}" does not have the label ${hostNetworkLabel}: "true", and you may not use hostnetwork.realm-operator.dev in the cluster: set it to false, or ask an administrator for either`,
      );
      expect(status).to.equal(403);
      const user = await tenant(cluster(), namespace, 'on-nodes');
      await grantInCluster(cluster(), namespace, 'on-nodes', useHostNetwork);
      await eventually('it is taken', async () => (await relays.dryRun(user, relay)).status === 201);
    });

    it('is not included in all rights of a namespace', async () => {
      const everything: Rule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
      const owner = await tenant(cluster(), namespace, 'owner', everything);
      await eventually('its other rights count', async () => {
        return (await relays.dryRun(owner, realmRelay(undefined, { image }))).status === 201;
      });
      expect((await relays.dryRun(owner, relay)).status).to.equal(403);
    });

    it('is allowed to every user in a namespace with the label', async () => {
      const label = async (value: string | null): Promise<void> => {
        const body = { metadata: { labels: { [hostNetworkLabel]: value } } };
        await cluster().request(
          'PATCH',
          `/api/v1/namespaces/${namespace}`,
          body,
          'application/merge-patch+json',
        );
      };
      await label('true');
      await eventually('it is taken', async () => (await relays.dryRun(plain, relay)).status === 201);
      await label(null);
      await eventually('it is refused', async () => (await relays.dryRun(plain, relay)).status === 403);
    });
  });
});
