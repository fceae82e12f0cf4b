import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { creation } from './dry-run.ts';
import { childrenOfWeb, Edge, type Seen, spec } from './edge.ts';
import { noRoomFor } from './quota.ts';
import { refusal, refuse, type Refused } from './refusing-policy.ts';

const longestName = 'w'.repeat(56);

type Kind = Pick<Refused, 'group' | 'version' | 'resource'>;

const refusedConfigMaps: Kind = { group: '', version: 'v1', resource: 'configmaps' };
const refusedDeployments: Kind = { group: 'apps', version: 'v1', resource: 'deployments' };
const refusedPods: Kind = { group: '', version: 'v1', resource: 'pods' };

describeWithCluster('operator among quotas, policies and people', (cluster) => {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  /** Refuses to create or update a resource in our namespace, once this resolves; the result takes that back. */
  function refuseAll({ group, version, resource }: Kind): Promise<() => Promise<void>> {
    const probe = creation(resource, { metadata: { name: 'probe' }, spec: podSpec(resource) });
    return refuse(edge, { group, version, resource, operations: ['CREATE', 'UPDATE'] }, probe);
  }

  it('reports in an event what is wrong, whatever script it is written in', async () => {
    const labels = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`team-${String(index)}`, '監視対象'.repeat(10)]),
    );
    await edge.applyRelay('web', spec(8443, { service: { labels } }));
    await edge.expectCondition('web', 'Accepted', 'False', 'Invalid');
    await eventually('the event', async () => (await edge.eventReasons('web')).includes('Invalid'));
    const { items } = (await edge.find('events')) as unknown as { items: { reason: string; note: string }[] };
    const note = items.find(({ reason }) => reason === 'Invalid')?.note ?? '';
    expect(Buffer.byteLength(note)).to.be.within(1_020, 1_024);
    expect(note).to.match(/監視.*…$/s);
  });

  it('reports a quota that has no room for an object, and goes on when it has', async function () {
    if (!cluster().hasControllerManager) this.skip(); // it counts what is used
    const path = await noRoomFor(edge, 'services');
    await edge.applyRelay('web', spec());
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.include('exceeded quota: tight');
    await edge.expectCondition('web', 'Reconciling', 'True', 'ApplyFailed');
    await cluster().request('DELETE', path);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('reports a quota that has no room for Pods', async function () {
    if (!cluster().hasControllerManager) this.skip();
    await noRoomFor(edge, 'pods');
    await edge.applyRelay('web', spec());
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'PodsRefused');
    expect(message).to.include('exceeded quota: tight');
    await edge.expectCondition('web', 'Stalled', 'True', 'PodsRefused');
  });

  const blocked = [
    { refused: refusedConfigMaps, reason: 'InvalidObject', object: 'ConfigMap "web-config"' },
    { refused: refusedDeployments, reason: 'InvalidTemplate', object: 'Deployment "web"' },
  ];
  for (const { refused, reason, object } of blocked) {
    it(`reports somebody's policy that refuses a ${object}, and goes on when it is gone`, async () => {
      const allow = await refuseAll(refused);
      await edge.applyRelay('web', spec());
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', reason);
      expect(message).to.include(object).and.include(refusal);
      await edge.expectCondition('web', 'Stalled', 'True', reason);
      await allow();
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });
  }

  it("reports somebody's policy that refuses its Pods", async function () {
    if (!cluster().hasControllerManager) this.skip();
    await refuseAll(refusedPods);
    await edge.applyRelay('web', spec());
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'PodsRefused');
    expect(message).to.include(refusal);
  });

  it('replaces a child when the finalizer that holds its predecessor is gone, and reports what it waits for', async () => {
    await edge.applyRelay('web', spec());
    const before = await edge.expect('services/web');
    await edge.write('PATCH', 'services/web', { metadata: { finalizers: ['example.com/hold'] } });
    await edge.write('DELETE', 'services/web');
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'Terminating');
    expect(message).to.include('Service "web" is still being deleted');
    await edge.write('PATCH', 'services/web', { metadata: { finalizers: null } });
    await edge.expect('services/web', ({ metadata }) => metadata.uid !== before.metadata.uid);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('leaves a child with a finalizer alone when its RealmRelay goes', async function () {
    if (!cluster().hasControllerManager) this.skip();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.write('PATCH', 'services/web', { metadata: { finalizers: ['example.com/hold'] } });
    await edge.write('DELETE', 'realmrelays/web');
    await edge.expect('services/web', ({ metadata }) => metadata.deletionTimestamp !== undefined);
    await edge.expectMissing('configmaps/web-config');
    await edge.write('PATCH', 'services/web', { metadata: { finalizers: null } });
    await edge.expectMissing('services/web');
    expect(edge.logged.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('takes back what another manager took over by force, and leaves what is that one’s alone', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const theirs = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', annotations: { team: 'edge' } },
      spec: { ports: [{ port: 8443, protocol: 'TCP', targetPort: 22 }], internalTrafficPolicy: 'Local' },
    };
    const apply = 'services/web?fieldManager=people&force=true';
    await edge.write('PATCH', apply, theirs, 'application/apply-patch+yaml');
    const repaired = await edge.expect('services/web', targetPort(8443));
    expect(repaired.metadata.annotations).to.include({ team: 'edge' });
    expect(repaired.spec).to.include({ internalTrafficPolicy: 'Local' });
  });

  it('makes Pods for the longest name, whose label has room for it', async function () {
    if (!cluster().hasControllerManager) this.skip();
    await edge.applyRelay(longestName, spec());
    await edge.expectCondition(longestName, 'Programmed', 'True', 'Programmed');
    await edge.expect(`configmaps/${longestName}-config`);
    const pods = await eventually('a Pod', async () => {
      const { items } = (await edge.find('pods')) as unknown as { items: Seen[] };
      return items.length > 0 && items;
    });
    expect(pods[0]?.metadata.labels).to.include({ 'app.kubernetes.io/instance': longestName });
    const longer = edge.applyRelay(`${longestName}w`, spec()).then(
      () => 'taken',
      (error: unknown) => String(error),
    );
    expect(await longer, 'told at admission').to.include('at most 56 characters');
  });

  it('changes the type of its Service there and back, which stays the same one', async () => {
    await edge.applyRelay('web', spec());
    const { metadata, spec: before } = await edge.expect('services/web');
    for (const type of ['NodePort', 'LoadBalancer', 'ClusterIP'] as const) {
      await edge.applyRelay('web', spec(8443, { service: { type } }));
      await edge.expect('services/web', (seen) => seen.spec?.['type'] === type);
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    }
    const after = await edge.expect('services/web');
    expect(after.metadata.uid).to.equal(metadata.uid);
    expect(after.spec?.['clusterIPs']).to.deep.equal(before?.['clusterIPs']);
  });

  it('goes on with the others while one fails at every try', async () => {
    const impossible = { limits: { memory: '1' }, requests: { memory: '2' } };
    await edge.applyRelay('web', spec(8443, { resources: impossible }));
    await edge.expectCondition('web', 'Programmed', 'False', 'InvalidTemplate');
    for (const name of ['one', 'two', 'three']) await edge.applyRelay(name, spec());
    for (const name of ['one', 'two', 'three'])
      await edge.expectCondition(name, 'Programmed', 'True', 'Programmed');
    const children = await Promise.all(childrenOfWeb.map((child) => edge.find(child)));
    expect(children.map((child) => child?.kind)).to.deep.equal(['ConfigMap', undefined, 'Service']);
  });
});

function targetPort(port: number): (service: Seen) => boolean {
  return ({ spec: { ports = [] } = {} }) => (ports as { targetPort?: number }[])[0]?.targetPort === port;
}

/** The least that the API server takes of a Deployment or a Pod; other kinds have no spec. */
function podSpec(resource: string): object | undefined {
  const containers = [{ name: 'none', image: 'none' }];
  if (resource === 'pods') return { containers };
  if (resource === 'configmaps') return undefined;
  const labels = { app: 'probe' };
  return { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
}
