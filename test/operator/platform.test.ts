import { expect } from 'chai';
import { parseRelayDefaults } from '../../src/api/relay-defaults.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';

describeWithCluster('operator, what the platform and no RealmRelay decides', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
  });

  afterEach(() => edge.stop());

  it('writes the denied destinations, which a RealmRelay cannot change, and a new list after a restart', async () => {
    edge.platform = { ...edge.platform, deniedDestinations: ['169.254.0.0/16'] };
    await edge.start();
    const denied = { deniedDestinations: [], denied_destinations: [] };
    const written = { ...spec(), ...denied, endpoints: [{ ...spec().endpoints[0], network: denied }] };
    await edge
      .applyRelay('web', written as ReturnType<typeof spec>)
      .catch(() => edge.applyRelay('web', spec()));
    const { status } = await edge.expect('realmrelays/web', (seen) => seen.status?.configHash !== undefined);
    const { data } = await edge.expect('configmaps/web-config');
    const config = JSON.parse(data?.['config.json'] ?? '') as Record<string, unknown>;
    expect(config['denied_destinations']).to.deep.equal(['169.254.0.0/16']);
    await edge.stop();
    edge.platform = { ...edge.platform, deniedDestinations: [] };
    await edge.start();
    await edge.expect(
      'configmaps/web-config',
      (seen) => seen.data?.['config.json']?.includes('denied') === false,
    );
    await edge.expect('realmrelays/web', (seen) => seen.status?.configHash !== status?.configHash);
  });

  it('puts the denied destinations back that somebody took out of the ConfigMap', async () => {
    edge.platform = { ...edge.platform, deniedDestinations: ['169.254.0.0/16'] };
    await edge.start();
    await edge.applyRelay('web', spec());
    const { data } = await edge.expect('configmaps/web-config');
    await edge.write('PATCH', 'configmaps/web-config', { data: { 'config.json': '{"endpoints":[]}' } });
    await edge.expect(
      'configmaps/web-config',
      (seen) => seen.data?.['config.json']?.includes('169.254.0.0/16') === true,
    );
    expect((await edge.find('configmaps/web-config'))?.data).to.deep.equal(data);
  });

  it('admits to the admin port of a guarded relay the operator of its own namespace alone', async () => {
    await edge.start();
    await edge.applyRelay('web', spec(8443, { networkPolicy: { enabled: true } }));
    const { spec: policy } = await edge.expect('networkpolicies/web');
    const rules = policy?.['ingress'] as { ports: { port: number }[]; from?: unknown }[];
    const from = rules.filter(({ ports }) => ports.some(({ port }) => port === 9465));
    expect(from.map((rule) => rule.from)).to.deep.equal([
      [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'operators' } },
          podSelector: { matchLabels: { 'app.kubernetes.io/name': 'realm-operator' } },
        },
      ],
    ]);
  });

  type PodSpec = {
    readonly containers: { readonly image: string; readonly resources?: object }[];
    readonly securityContext: Record<string, unknown>;
    readonly imagePullSecrets?: object[];
  };

  async function podSpec(relay = 'web'): Promise<PodSpec> {
    const { spec: made } = await edge.expect(`deployments/${relay}`);
    return (made as unknown as { template: { spec: PodSpec } }).template.spec;
  }

  it('gives relays the image of its own Pod, and the default one if it has none', async () => {
    const image = 'registry.example/mirror/realm-operator:9';
    const pod = { metadata: { name: 'own' }, spec: { containers: [{ name: 'operator', image }] } };
    const accounts = `/api/v1/namespaces/${edge.namespace}/serviceaccounts`;
    await cluster().request('POST', accounts, { metadata: { name: 'default' } });
    await edge.write('POST', 'pods', pod, 'application/json');
    edge.ownPod = { namespace: edge.namespace, name: 'own' };
    await edge.start();
    await edge.applyRelay('web', spec());
    expect((await podSpec()).containers[0]?.image).to.equal(image);
    await edge.stop();

    edge.ownPod = { namespace: edge.namespace, name: 'another' };
    await edge.start();
    await edge.applyRelay('other', spec());
    expect((await podSpec('other')).containers[0]?.image).to.equal(edge.platform.relayImage);
  });

  it('gives relays its defaults for what they leave out, and no user where the cluster assigns one', async () => {
    const { defaults } = parseRelayDefaults({
      resources: { requests: { cpu: '10m' } },
      podTemplate: { spec: { imagePullSecrets: [{ name: 'registry' }] } },
    });
    if (defaults === undefined) throw new Error('they are valid');
    edge.platform = { ...edge.platform, relayDefaults: defaults, omitUserIds: true };
    await edge.start();
    await edge.applyRelay('web', spec());
    const { containers, securityContext, imagePullSecrets } = await podSpec();
    expect(containers[0]?.resources).to.deep.equal({
      limits: { memory: '256Mi' },
      requests: { cpu: '10m', memory: '64Mi' },
    });
    expect(imagePullSecrets).to.deep.equal([{ name: 'registry' }]);
    expect(securityContext)
      .to.include({ runAsNonRoot: true })
      .and.not.have.any.keys('runAsUser', 'runAsGroup', 'fsGroup');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('replaces Pods as the RealmRelay says, and labels every object of it', async () => {
    await edge.start();
    const labels = { 'cost-center': '42' };
    const rollingUpdate = { maxSurge: 0, maxUnavailable: '50%' };
    await edge.applyRelay('web', spec(8443, { workload: { rollingUpdate }, commonMetadata: { labels } }));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    for (const { metadata } of await edge.children()) expect(metadata.labels).to.include(labels);
    expect(await edge.find('deployments/web'))
      .to.have.nested.property('spec.strategy.rollingUpdate')
      .that.deep.equals(rollingUpdate);
    await edge.applyRelay('web', spec());
    await edge.expect('services/web', ({ metadata }) => !('cost-center' in (metadata.labels ?? {})));
    await edge.expect('deployments/web', ({ spec: made }) => JSON.stringify(made).includes('"25%"'));
  });
});
