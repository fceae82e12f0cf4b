import { expect } from 'chai';
import { configHash } from '../../src/desired/config-map.ts';
import { parseRealmRelay } from '../../src/api/parse.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { childrenOfWeb, Edge, spec } from './edge.ts';
import { settledWrites } from './writes.ts';

describeWithCluster('operator on an API server', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  it('makes what a RealmRelay needs, owned by it', async () => {
    const relay = await edge.applyRelay('web', spec(8443, { replicas: 2 }));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    for (const { metadata } of await edge.children()) {
      expect(metadata.ownerReferences?.[0]).to.include({
        uid: relay.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      });
      expect(metadata.labels?.['app.kubernetes.io/managed-by']).to.equal('realm-operator');
    }
    const deployment = await edge.find('deployments/web');
    expect(deployment).to.have.nested.property('spec.replicas', 2);
    expect(deployment).to.have.nested.property(
      'spec.template.spec.containers[0].image',
      'registry.example/realm-relay:test',
    );
    expect(await edge.find('services/web')).to.have.nested.property('spec.ports[0].port', 8443);
  });

  it('reports all of it in the status', async () => {
    await edge.applyRelay('web', spec());
    const { status } = await edge.expect('realmrelays/web', (seen) => seen.status?.addresses?.length === 2);
    const { relay } = parseRealmRelay(await edge.find('realmrelays/web'));
    expect(status).to.deep.include({
      observedGeneration: 1,
      readyReplicas: 0,
      selector:
        'app.kubernetes.io/instance=web,app.kubernetes.io/managed-by=realm-operator,app.kubernetes.io/name=realm-relay',
      configHash: relay === undefined ? '' : configHash(relay),
      listening: '[::]:8443',
      updatedReplicas: 0,
      endpoints: [
        {
          name: 'https',
          listen: '[::]:8443',
          families: ['IPv4', 'IPv6'],
          protocols: ['TCP'],
          ready: false,
          message: '',
        },
      ],
    });
    expect(status?.addresses?.map(({ family }) => family)).to.deep.equal(['IPv4', 'IPv6']);
    // There is no kubelet here, so the Pods never become ready.
    await edge.expectCondition('web', 'Ready', 'False', 'PodsNotReady');
    await edge.expectCondition('web', 'Reconciling', 'True', 'PodsNotReady');
    expect(await edge.eventReasons('web'), 'that a new one got its objects is no news').to.deep.equal([]);
  });

  it('counts relays by condition, turns, and requests, under the names of controller-runtime', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await eventually('the end of a turn', async () => (await edge.turns()) > 0);
    const lines = await eventually('a scrape that knows of it', async () => {
      const scrape = (await edge.registry.metrics()).split('\n');
      return scrape.includes('realm_operator_relays{condition="Programmed",status="True"} 1') && scrape;
    });
    const above0 = [
      'workqueue_adds_total{name="realmrelay",controller="realmrelay"}',
      'workqueue_work_duration_seconds_count{name="realmrelay",controller="realmrelay"}',
      'controller_runtime_reconcile_time_seconds_count{controller="realmrelay"}',
      'rest_client_requests_total{method="GET",code="200"}',
      'rest_client_requests_total{method="PATCH",code="201"}',
    ];
    for (const name of above0) {
      const line = lines.find((each) => each.startsWith(`${name} `));
      expect(Number(line?.slice(name.length)), name).to.be.above(0);
    }
  });

  it('follows an edit, and restarts no Pod for an endpoint', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const before = await edge.expect('deployments/web');
    await edge.applyRelay('web', spec(9443));
    await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes('9443'));
    const { data } = await edge.expect(
      'configmaps/web-config',
      (seen) => seen.data?.['config.json']?.includes('9443') === true,
    );
    expect(data?.['config.json']).not.to.include('8443');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.find('services/web'))
      .to.have.nested.property('spec.ports')
      .with.lengthOf(1);
    expect((await edge.find('deployments/web'))?.metadata.generation).to.equal(before.metadata.generation);
  });

  describe('what others change is repaired:', () => {
    beforeEach(async () => {
      await edge.applyRelay('web', spec());
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });

    it('a field', async () => {
      await edge.write('PATCH', 'configmaps/web-config', { data: { 'config.json': '{}' } });
      await edge.expect('configmaps/web-config', (seen) => seen.data?.['config.json'] !== '{}');
      await eventually('event Repaired', async () => (await edge.eventReasons('web')).includes('Repaired'));
    });

    it('the Pod template', async () => {
      const patch = [
        { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'evil.example/x' },
      ];
      await edge.write('PATCH', 'deployments/web', patch, 'application/json-patch+json');
      await edge.expect('deployments/web', (seen) => !JSON.stringify(seen.spec).includes('evil.example'));
    });

    it('a port too many', async () => {
      const patch = [
        { op: 'add', path: '/spec/ports/-', value: { name: 'extra', port: 22, protocol: 'TCP' } },
      ];
      await edge.write('PATCH', 'services/web', patch, 'application/json-patch+json');
      await edge.expect('services/web', (seen) => (seen.spec?.['ports'] as unknown[]).length === 1);
    });

    it('other ports instead of ours', async () => {
      const patch = [
        { op: 'replace', path: '/spec/ports', value: [{ name: 'tcp-8443', port: 22, protocol: 'TCP' }] },
      ];
      await edge.write('PATCH', 'services/web', patch, 'application/json-patch+json');
      await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes('8443,'));
      expect(await edge.find('services/web'))
        .to.have.nested.property('spec.ports')
        .with.lengthOf(1);
    });

    it('the label by which we watch it', async () => {
      await edge.write('PATCH', 'services/web', {
        metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
      });
      await edge.expect(
        'services/web',
        (seen) => seen.metadata.labels?.['app.kubernetes.io/managed-by'] === 'realm-operator',
      );
    });

    it('an object that is gone', async () => {
      const { metadata } = await edge.expect('deployments/web');
      await edge.write('DELETE', 'deployments/web');
      await edge.expect('deployments/web', (seen) => seen.metadata.uid !== metadata.uid);
      await eventually('event Created', async () => (await edge.eventReasons('web')).includes('Created'));
    });
  });

  it('deletes nothing when a RealmRelay goes, and the garbage collector collects all of it', async function () {
    if (!cluster().hasControllerManager) this.skip();
    await edge.applyRelay('web', spec());
    await edge.children();
    await edge.write('DELETE', 'realmrelays/web');
    for (const child of childrenOfWeb) await edge.expectMissing(child);
  });

  it('replaces nothing that goes while a RealmRelay is being deleted', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.write('PATCH', 'realmrelays/web', { metadata: { finalizers: ['example.com/hold'] } });
    await edge.write('DELETE', 'realmrelays/web');
    await edge.noticed(await edge.expect('realmrelays/web'));
    const turns = await edge.turns();
    await edge.write('DELETE', 'services/web');
    await eventually('turns after that', async () => (await edge.turns()) > turns);
    await edge.stop(); // lets the last turn end
    expect(await edge.find('services/web')).to.equal(undefined);
    await edge.write('PATCH', 'realmrelays/web', { metadata: { finalizers: null } });
  });

  it('takes over what a RealmRelay of the same name left', async function () {
    if (!cluster().hasControllerManager) this.skip();
    await edge.applyRelay('web', spec());
    await edge.children();
    await edge.write('DELETE', 'realmrelays/web');
    const { metadata } = await edge.applyRelay('web', spec());
    for (const child of childrenOfWeb) {
      await edge.expect(child, (seen) => seen.metadata.ownerReferences?.[0]?.uid === metadata.uid);
    }
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.eventReasons('web')).not.to.include('ResourceConflict');
  });

  it('applies nothing while paused, and then does', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const before = await edge.versions();
    await edge.applyRelay('web', spec(9443, { paused: true }));
    await edge.expectCondition('web', 'Programmed', 'Unknown', 'Paused');
    await edge.write('PATCH', 'configmaps/web-config', { data: { 'config.json': '{}' } });
    await eventually(
      'reconciled twice while paused',
      () => edge.logged.filter(({ verdict }) => verdict === 'paused').length >= 2,
    );
    expect((await edge.versions()).slice(1)).to.deep.equal(before.slice(1));
    expect((await edge.find('configmaps/web-config'))?.data).to.deep.equal({ 'config.json': '{}' });
    await edge.applyRelay('web', spec(9443));
    await edge.expect(
      'configmaps/web-config',
      (seen) => seen.data?.['config.json']?.includes('9443') === true,
    );
  });

  it('follows kubectl scale', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const args = [
      'scale',
      'realmrelay/web',
      '--namespace',
      edge.namespace,
      '--current-replicas=1',
      '--replicas=3',
    ];
    const { code, stderr } = await cluster().kubectl(args);
    expect(code, stderr).to.equal(0);
    await edge.expect('deployments/web', (seen) => seen.spec?.['replicas'] === 3);
  });

  it('deletes the Service that is no longer wanted', async () => {
    await edge.applyRelay('web', spec());
    await edge.expect('services/web');
    await edge.applyRelay('web', spec(8443, { service: { enabled: false } }));
    await edge.expectMissing('services/web');
    await edge.expect('realmrelays/web', (seen) => seen.status?.addresses === undefined);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('writes nothing when it is restarted', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await eventually(
      'the Deployment is seen',
      async () => ((await edge.find('realmrelays/web'))?.status?.replicas ?? 0) > 0,
    );
    await settledWrites(cluster());
    await edge.stop();
    const before = await settledWrites(cluster());
    edge.logged.length = 0;
    await edge.start();
    await eventually('reconciled', () => edge.logged.some(({ msg }) => msg === 'reconciled'));
    expect(await settledWrites(cluster())).to.equal(before);
  });
});
