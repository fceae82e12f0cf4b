import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { condition, Edge, spec, type Seen } from './edge.ts';

describeWithCluster('operator, what it refuses to do, and reports', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  it('leaves an object that is not ours as it is, and reports it', async () => {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web-config' },
      data: { mine: 'yes' },
    };
    const foreign = await edge.write('POST', 'configmaps', body, 'application/json');
    const relay = await edge.applyRelay('web', spec());
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ResourceConflict');
    expect(message).to.include('ConfigMap "web-config"').and.include('delete or rename it');
    await edge.expectCondition('web', 'Stalled', 'True', 'ResourceConflict');
    await eventually('event', async () => (await edge.eventReasons('web')).includes('ResourceConflict'));
    expect(await edge.find('deployments/web'), 'nothing mounts a foreign ConfigMap').to.equal(undefined);

    await edge.write(
      'DELETE',
      'realmrelays/web',
      { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Foreground' },
      'application/json',
    );
    await edge.expectMissing('realmrelays/web');
    await collected(relay);
    expect((await edge.find('configmaps/web-config'))?.metadata).to.deep.equal(foreign.metadata);
  });

  it('goes on when the foreign object is gone, which no watch reports', async () => {
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web-config' } };
    await edge.write('POST', 'configmaps', foreign, 'application/json');
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'False', 'ResourceConflict');
    await edge.write('DELETE', 'configmaps/web-config');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  /** Resolves when the garbage collector has worked off what came before: it is done with a witness of the same owner. */
  async function collected(owner: Seen): Promise<void> {
    const ownerReferences = [
      { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid },
    ];
    const witness = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'witness', ownerReferences } };
    await edge.write('POST', 'configmaps', witness, 'application/json');
    await edge.expectMissing('configmaps/witness');
  }

  it('reports a ConfigMap that somebody made immutable, with the remedy, which works', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.write('PATCH', 'configmaps/web-config', { immutable: true });
    await edge.applyRelay('web', spec(9443));
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidObject');
    expect(message).to.include('ConfigMap "web-config"').and.include('delete it, and the operator creates');
    await edge.write('DELETE', 'configmaps/web-config');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.expect('configmaps/web-config', ({ data }) => JSON.stringify(data).includes('9443'));
  });

  it('refuses a port conflict that came past admission, and keeps what runs', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const before = await edge.versions();
    const [first] = spec().endpoints;
    const second = {
      ...first,
      name: 'https-v4',
      listen: { address: '0.0.0.0', port: 8443 },
      remotes: first?.remotes ?? [],
    };
    await edge.applyRelay('web', { endpoints: [...spec().endpoints, second] });
    const { message } = await edge.expectCondition('web', 'Accepted', 'False', 'PortConflict');
    expect(message).to.include('"https"').and.include('"https-v4"').and.include('ipv6Only: true');
    await edge.expectCondition('web', 'Stalled', 'True', 'PortConflict');
    expect(await edge.versions()).to.deep.equal(before);
    await eventually('event', async () => (await edge.eventReasons('web')).includes('PortConflict'));

    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Accepted', 'True', 'Accepted');
    expect(condition(await edge.expect('realmrelays/web'), 'Stalled')).to.equal(undefined);
  });

  it('refuses a spec that our parser refuses', async () => {
    const [first] = spec().endpoints;
    await edge.applyRelay(
      'web',
      spec(8443, {
        endpoints: [
          { name: 'https', listen: { port: 8443 }, remotes: first?.remotes ?? [], network: { tcp: false } },
        ],
      }),
    );
    const { message } = await edge.expectCondition('web', 'Accepted', 'False', 'Invalid');
    expect(message).to.include('spec.endpoints[0].network').and.include('set tcp or udp to true');
  });

  const ipv6Only = spec(8443, { network: { ipv6Only: true } });

  it('leaves a Service as it is whose primary family cannot change, and reports it', async () => {
    await edge.applyRelay('web', spec());
    const before = await edge.expect('services/web', (seen) => seen.spec?.['ipFamilies'] !== undefined);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.applyRelay('web', ipv6Only);
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ServiceImmutable');
    expect(message).to.include('spec.service.ipFamilies').and.include('recreatePolicy: WhenNeeded');
    await edge.expectCondition('web', 'Stalled', 'True', 'ServiceImmutable');
    const after = await edge.expect('services/web');
    expect(after.metadata.uid).to.equal(before.metadata.uid);
    expect(after.spec).to.deep.equal(before.spec);
    // The rest of the edit is applied.
    await edge.expect(
      'configmaps/web-config',
      (seen) => seen.data?.['config.json']?.includes('"ipv6_only": true') === true,
    );
  });

  it('replaces a Service whose primary family cannot change, if it may', async () => {
    await edge.applyRelay('web', spec());
    const before = await edge.expect('services/web');
    await edge.applyRelay('web', { ...ipv6Only, service: { recreatePolicy: 'WhenNeeded' } });
    const after = await edge.expect('services/web', (seen) => String(seen.spec?.['ipFamilies']) === 'IPv6');
    expect(after.metadata.uid).not.to.equal(before.metadata.uid);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('reports what the API server refuses', async () => {
    await edge.applyRelay(
      'web',
      spec(8443, { resources: { limits: { memory: '1' }, requests: { memory: '2' } } }),
    );
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidTemplate');
    expect(message).to.include('Deployment "web"').and.include('must be less than or equal to memory limit');
    await edge.expectCondition('web', 'Stalled', 'True', 'InvalidTemplate');
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });
});
