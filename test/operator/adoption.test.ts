import { expect } from 'chai';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { childrenOfWeb, Edge, type Seen, spec } from './edge.ts';

const json = 'application/json';
const gone = '0c3f1e0e-0000-4000-8000-000000000000';

/** Resolves once `web` is Programmed and owns its children. */
async function expectAdopted(edge: Edge, relay: Seen): Promise<Seen[]> {
  await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  const children = await edge.children();
  for (const { metadata } of children)
    expect(metadata.ownerReferences?.map(({ uid }) => uid)).to.deep.equal([relay.metadata.uid]);
  return children;
}

function identity({ metadata, spec }: Seen): unknown {
  return { uid: metadata.uid, spec };
}

/** Nobody collects garbage here: what an owner leaves, stays. */
describeWithCluster('operator and what an earlier RealmRelay left', () => {
  let own: ControlPlane;
  let edge: Edge;

  before(async () => {
    own = await startControlPlane({ manifests: ['crds/realmrelays.yaml'], controllerManager: false });
  });

  after(() => own.stop());

  beforeEach(async () => {
    edge = new Edge(own, await own.namespace());
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.stop();
  });

  afterEach(() => edge.stop());

  /** Deletes the RealmRelay while the operator is away; its children stay. */
  async function deleteRelay(): Promise<void> {
    await edge.write('DELETE', 'realmrelays/web');
    await edge.expectMissing('realmrelays/web');
  }

  it('adopts objects whose owner has another uid now, as after a restored backup, and replaces none', async () => {
    const before = await edge.children();
    await deleteRelay();
    await edge.start();
    const relay = await edge.applyRelay('web', spec());
    const after = await expectAdopted(edge, relay);
    expect(after.map(identity)).to.deep.equal(before.map(identity));
    await eventually('event', async () => (await edge.eventReasons('web')).includes('Adopted'));
  });

  it('adopts objects that nobody owns, as after --cascade=orphan, with another spec at once', async () => {
    const before = await edge.children();
    await deleteRelay();
    for (const child of childrenOfWeb)
      await edge.write('PATCH', child, { metadata: { ownerReferences: null } });
    const relay = await edge.applyRelay('web', spec(9443));
    await edge.start();
    const after = await expectAdopted(edge, relay);
    expect(after.map(({ metadata }) => metadata.uid)).to.deep.equal(
      before.map(({ metadata }) => metadata.uid),
    );
    expect(JSON.stringify(after)).to.include('9443').and.not.include('8443');
  });

  const foreign: { why: string; metadata: (service: Seen['metadata']) => object }[] = [
    { why: 'it has no label of ours', metadata: ({ annotations }) => ({ annotations }) },
    { why: 'it has no hash of ours', metadata: ({ labels }) => ({ labels }) },
    {
      why: 'it only copies our labels and hash',
      metadata: ({ labels, annotations }) => ({ labels, annotations }),
    },
    {
      why: 'somebody owns it',
      metadata: ({ labels, annotations }) => ({
        labels,
        annotations,
        ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'web', uid: gone }],
      }),
    },
  ];
  for (const { why, metadata } of foreign) {
    it(`leaves an object alone that is not proven to be ours: ${why}`, async () => {
      const { metadata: ours } = await edge.expect('services/web');
      await deleteRelay();
      await edge.write('DELETE', 'services/web');
      const ports = [{ port: 1 }];
      const body = { metadata: { name: 'web', ...metadata(ours) }, spec: { ports } };
      const made = await edge.write('POST', 'services', body, json);
      await edge.applyRelay('web', spec());
      await edge.start();
      await edge.expectCondition('web', 'Programmed', 'False', 'ResourceConflict');
      expect(await edge.find('services/web')).to.deep.equal(made);
    });
  }

  it('leaves an object alone that our field manager wrote, and that another owns now', async () => {
    await deleteRelay();
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: gone, controller: true }];
    const taken = await edge.write('PATCH', 'services/web', { metadata: { ownerReferences } });
    await edge.applyRelay('web', spec());
    await edge.start();
    await edge.expectCondition('web', 'Programmed', 'False', 'ResourceConflict');
    expect(await edge.find('services/web')).to.deep.equal(taken);
  });

  it('waits for an object of an earlier owner that only copies what identifies ours', async () => {
    const { metadata } = await edge.expect('configmaps/web-config');
    await deleteRelay();
    await edge.write('DELETE', 'configmaps/web-config');
    const { name, labels, annotations, ownerReferences } = metadata;
    const copy = { metadata: { name, labels, annotations, ownerReferences } };
    const made = await edge.write('POST', 'configmaps', copy, json);
    await edge.applyRelay('web', spec());
    await edge.start();
    await edge.expectCondition('web', 'Programmed', 'False', 'Terminating');
    expect(await edge.find('configmaps/web-config')).to.deep.equal(made);
  });
});

/** Resolves when the garbage collector knows all children: it is done with a later object of each of their kinds. */
async function collectorKnows(edge: Edge): Promise<void> {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: gone }];
  const metadata = { name: 'witness', ownerReferences };
  const labels = { app: 'witness' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'none', image: 'none' }] } };
  const specs: Readonly<Record<string, object | undefined>> = {
    configmaps: undefined,
    services: { ports: [{ port: 1 }] },
    deployments: { replicas: 0, selector: { matchLabels: labels }, template },
  };
  for (const [resource, spec] of Object.entries(specs))
    await edge.write('POST', resource, { metadata, spec }, json);
  for (const resource of Object.keys(specs)) await edge.expectMissing(`${resource}/witness`);
}

describeWithCluster('operator and a RealmRelay that was deleted with --cascade=orphan', (cluster) => {
  it('adopts what it left when it comes back', async function () {
    if (!cluster().hasControllerManager) this.skip(); // it orphans
    const edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const before = await edge.children();
    await collectorKnows(edge);
    const orphan = { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Orphan' };
    await edge.write('DELETE', 'realmrelays/web', orphan, json);
    await edge.expectMissing('realmrelays/web');
    for (const child of childrenOfWeb)
      await edge.expect(child, ({ metadata }) => metadata.ownerReferences === undefined);
    const relay = await edge.applyRelay('web', spec());
    const after = await expectAdopted(edge, relay);
    expect(after.map(({ metadata }) => metadata.uid)).to.deep.equal(
      before.map(({ metadata }) => metadata.uid),
    );
    await edge.stop();
  });
});
