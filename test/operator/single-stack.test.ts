import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import type { IpFamily } from '../../src/lib/ip-address.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, type Seen, spec } from './edge.ts';

/** The specs of endpoints that bind one family alone. */
const only: Readonly<Record<IpFamily, RealmRelaySpec>> = {
  IPv4: {
    endpoints: [
      {
        name: 'https',
        listen: { address: '0.0.0.0', port: 8443 },
        remotes: [{ address: '192.0.2.7', port: 443 }],
      },
    ],
  },
  IPv6: spec(8443, { network: { ipv6Only: true } }),
};

type Stack = { readonly has: IpFamily; readonly lacks: IpFamily; readonly flags: readonly string[] };

const stacks: readonly Stack[] = [
  { has: 'IPv4', lacks: 'IPv6', flags: ['--service-cluster-ip-range=10.96.0.0/16'] },
  {
    has: 'IPv6',
    lacks: 'IPv4',
    flags: ['--service-cluster-ip-range=fd00:10:96::/112', '--advertise-address=::1'],
  },
];

for (const stack of stacks) describeSingleStack(stack);

/** With a control plane of its own, whose Services have one family alone. */
function describeSingleStack({ has, lacks, flags }: Stack): void {
  describeWithCluster(`operator on a cluster without ${lacks}`, function () {
    let own: ControlPlane;
    let edge: Edge;

    before(async () => {
      own = await startControlPlane({
        manifests: ['crds/realmrelays.yaml'],
        controllerManager: false,
        apiServerFlags: flags,
      });
    });

    beforeEach(async () => {
      edge = new Edge(own, await own.namespace());
      await edge.start();
    });

    afterEach(() => edge.stop());

    after(async () => {
      await own.stop();
    });

    const preferred: RealmRelaySpec['service'] = { ipFamilyPolicy: 'PreferDualStack', ipFamilies: [has] };
    const served = {
      'of both families': spec(),
      [`of ${has} alone`]: only[has],
      [`that prefer both families and name ${has}`]: spec(8443, { service: preferred }),
    };
    for (const [what, wanted] of Object.entries(served)) {
      it(`gives endpoints ${what} a Service of ${has}, and writes no more`, async () => {
        await edge.applyRelay('web', wanted);
        await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
        const { metadata, spec: made } = await edge.expect('services/web');
        const ipFamilyPolicy = wanted === only[has] ? 'SingleStack' : 'PreferDualStack';
        expect(made).to.deep.include({ ipFamilyPolicy, ipFamilies: [has] });
        const { status } = await edge.expect(
          'realmrelays/web',
          (seen) => seen.status?.addresses !== undefined,
        );
        expect(status?.addresses?.map(({ family }) => family)).to.deep.equal([has]);
        const turns = await edge.turns();
        await edge.write('PATCH', 'realmrelays/web', { metadata: { annotations: { look: 'again' } } });
        await eventually('looked again', async () => (await edge.turns()) > turns);
        const { metadata: later } = await edge.expect('services/web');
        expect(later.resourceVersion).to.equal(metadata.resourceVersion);
        await edge.applyRelay('web', {
          ...wanted,
          service: { ...wanted.service, labels: { edited: 'yes' } },
        });
        await edge.expect('services/web', (seen) => seen.metadata.labels?.['edited'] === 'yes');
        await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      });
    }

    it('lets endpoints of one family become those of both, with the Service as it is', async () => {
      await edge.applyRelay('web', only[has]);
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      await edge.applyRelay('web', spec());
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      const { spec: made } = await edge.expect('services/web');
      expect(made).to.deep.include({ ipFamilyPolicy: 'PreferDualStack', ipFamilies: [has] });
    });

    const cases: { wanted: RealmRelaySpec; told: RegExp; why: string }[] = [
      {
        wanted: only[lacks],
        told: new RegExp(`does not have.*\\[${lacks}\\].*spec\\.ipFamilies`),
        why: `endpoints on ${lacks} alone`,
      },
      {
        wanted: spec(8443, { service: { ipFamilies: [lacks, has] } }),
        told: new RegExp(`does not have.*\\[${lacks}, ${has}\\]`),
        why: 'families that the user names',
      },
      {
        wanted: spec(8443, { service: { ipFamilyPolicy: 'RequireDualStack' } }),
        told: /does not have.*RequireDualStack.*dual-stack/,
        why: 'both, and nothing less',
      },
    ];
    for (const { wanted, told, why } of cases) {
      it(`reports that the cluster has no ${lacks}, and applies all else: ${why}`, async () => {
        await edge.applyRelay('web', wanted);
        const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'FamilyUnavailable');
        expect(message).to.match(told).and.include('service.enabled: false');
        await edge.expectCondition('web', 'Stalled', 'True', 'FamilyUnavailable');
        for (const object of ['configmaps/web-config', 'deployments/web']) await edge.expect(object);
        const failures = edge.logged.filter(({ level }) => level === 'error' || level === 'warn');
        expect(failures, 'it is the user’s affair').to.deep.equal([]);
        await edge.applyRelay('web', spec());
        await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      });
    }
  });
}

/** Ranges of both families; the primary one comes first. */
const ranges = { IPv4: '10.96.0.0/16', IPv6: 'fd00:10:96::/112' } as const;

describeWithCluster('operator on a cluster that becomes dual stack', () => {
  let own: ControlPlane;
  let edge: Edge;

  before(async () => {
    own = await startControlPlane({
      manifests: ['crds/realmrelays.yaml'],
      controllerManager: false,
      apiServerFlags: [`--service-cluster-ip-range=${ranges.IPv4}`],
    });
    edge = new Edge(own, await own.namespace());
    await edge.start();
  });

  after(async () => {
    await edge.stop();
    await own.stop();
  });

  it('gives Services that prefer both families the second one, and leaves the others alone', async () => {
    await edge.applyRelay('web', spec());
    await edge.applyRelay('four', only.IPv4);
    for (const relay of ['web', 'four'])
      await edge.expectCondition(relay, 'Programmed', 'True', 'Programmed');
    const before = await edge.expect('services/web');
    const four = await edge.expect('services/four');
    expect(before.spec).to.deep.include({ ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'] });

    await own.restartApiServer([`--service-cluster-ip-range=${ranges.IPv4},${ranges.IPv6}`]);
    const after = await edge.expect('services/web', (seen) => familiesOf(seen).length === 2);
    expect(after.metadata.uid).to.equal(before.metadata.uid);
    expect(familiesOf(after)).to.deep.equal(['IPv4', 'IPv6']);
    const { status } = await edge.expect('realmrelays/web', (seen) => seen.status?.addresses?.length === 2);
    expect(status?.addresses?.map(({ family }) => family)).to.deep.equal(['IPv4', 'IPv6']);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect((await edge.expect('services/four')).metadata.resourceVersion).to.equal(
      four.metadata.resourceVersion,
    );
  });

  it('gives one that had one family the second one when its endpoints need both', async () => {
    await edge.applyRelay('four', spec());
    await edge.expect('services/four', (seen) => familiesOf(seen).length === 2);
    await edge.expectCondition('four', 'Programmed', 'True', 'Programmed');
  });
});

function familiesOf({ spec: made = {} }: Seen): unknown[] {
  return (made['ipFamilies'] ?? []) as unknown[];
}
