import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../cluster/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';

/** With a control plane of its own, whose Services have IPv4 alone. */
describeWithCluster('operator on a cluster without IPv6', function () {
  let own: ControlPlane;
  let edge: Edge;

  before(async function () {
    this.timeout(120_000);
    own = await startControlPlane({
      manifests: ['crds/realmrelays.yaml'],
      controllerManager: false,
      apiServerFlags: ['--service-cluster-ip-range=10.96.0.0/16'],
    });
  });

  beforeEach(async () => {
    edge = new Edge(own, await own.namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  after(async function () {
    this.timeout(30_000);
    await own.stop();
  });

  it('gives an endpoint of both families a Service of the one, and writes no more', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const { metadata, spec: made } = await edge.expect('services/web');
    expect(made).to.deep.include({ ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'] });
    const { status } = await edge.expect('realmrelays/web', (seen) => seen.status?.addresses !== undefined);
    expect(status?.addresses?.map(({ family }) => family)).to.deep.equal(['IPv4']);
    const turns = await edge.turns();
    await edge.write('PATCH', 'realmrelays/web', { metadata: { annotations: { look: 'again' } } });
    await eventually('looked again', async () => (await edge.turns()) > turns);
    expect((await edge.expect('services/web')).metadata.resourceVersion).to.equal(metadata.resourceVersion);
  });

  const cases: { more: Partial<RealmRelaySpec>; told: RegExp; why: string }[] = [
    {
      more: { network: { ipv6Only: true } },
      told: /does not have.*\[IPv6\].*spec\.ipFamilies/,
      why: 'endpoints on IPv6 alone',
    },
    {
      more: { service: { ipFamilies: ['IPv6', 'IPv4'] } },
      told: /does not have.*\[IPv6, IPv4\]/,
      why: 'families that the user names',
    },
    {
      more: { service: { ipFamilyPolicy: 'RequireDualStack' } },
      told: /does not have.*RequireDualStack.*dual-stack/,
      why: 'both, and nothing less',
    },
  ];
  for (const { more, told, why } of cases) {
    it(`says that the cluster has no IPv6, and applies all else: ${why}`, async () => {
      await edge.applyRelay('web', spec(8443, more));
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'FamilyUnavailable');
      expect(message).to.match(told).and.include('service.enabled: false');
      await edge.expectCondition('web', 'Stalled', 'True', 'FamilyUnavailable');
      for (const object of ['configmaps/web-config', 'deployments/web']) await edge.expect(object);
      expect(
        edge.logged.filter(({ level }) => level === 'error'),
        'it is the user’s affair',
      ).to.deep.equal([]);
      await edge.applyRelay('web', spec());
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });
  }
});
