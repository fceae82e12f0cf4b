import { expect } from 'chai';
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
});
