import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { Edge, spec } from './edge.ts';
import { settledWrites } from './writes.ts';

const hours = 24;

describeWithCluster('operator at rest', function (cluster) {
  const clock = new JumpingClock();
  let edge: Edge;

  before(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    edge.clock = clock;
    await edge.start();
  });

  after(() => edge.stop());

  it('writes nothing in a day, whatever state its RealmRelays are in', async () => {
    const foreign = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'taken-config' } };
    await edge.write('POST', 'configmaps', foreign, 'application/json');
    const quantities = { limits: { cpu: '1000m', memory: '1024Mi' } };
    await edge.applyRelay('web', spec(8443, { resources: quantities }));
    await edge.applyRelay('none', spec(8443, { replicas: 0, service: { enabled: false } }));
    await edge.applyRelay('paused', spec(8443, { paused: true }));
    await edge.applyRelay('taken', spec());
    await edge.applyRelay('immutable', spec());
    await edge.expectCondition('immutable', 'Programmed', 'True', 'Programmed');
    await edge.applyRelay('immutable', spec(8443, { network: { ipv6Only: true } }));
    await edge.expectCondition('immutable', 'Programmed', 'False', 'ServiceImmutable');
    await edge.expectCondition('taken', 'Programmed', 'False', 'ResourceConflict');
    await edge.expectCondition('none', 'Ready', 'True', 'ScaledToZero');
    await edge.expectCondition('paused', 'Programmed', 'Unknown', 'Paused');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');

    const settled = await settledWrites(cluster());
    await edge.applyRelay('web', spec(9443, { resources: quantities }));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const edited = await settledWrites(cluster());
    expect(edited, 'the count is of our writes: the edit, ConfigMap, Service, status, events').to.be.least(
      settled + 4,
    );

    const turns = await edge.turns();
    for (let hour = 0; hour < hours; hour += 1) {
      clock.jump(3_600_000);
      await edge.idle();
    }
    const looks = (await edge.turns()) - turns;
    expect(looks, 'it looks each hour at those that are not as they should be').to.be.at.least(2 * hours);
    expect(await settledWrites(cluster())).to.equal(edited);
  });
});
