import { expect } from 'chai';
import { setTimeout as delay } from 'node:timers/promises';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';
import { settledWrites, writes } from './writes.ts';

const restSeconds = 60;
/** How long nothing must be written until what was edited counts as settled. */
const settledMs = 3_000;

describeWithCluster('operator at rest', function (cluster) {
  let edge: Edge;

  before(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  after(() => edge.stop());

  it(`writes nothing in ${String(restSeconds)} s, whatever state its RealmRelays are in`, async function () {
    this.timeout((restSeconds + 60) * 1000);
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

    const settled = await settledWrites(cluster(), settledMs);
    await edge.applyRelay('web', spec(9443, { resources: quantities }));
    const edited = await settledWrites(cluster(), settledMs);
    expect(edited, 'the count is of our writes: the edit, ConfigMap, Service, status, events').to.be.least(
      settled + 4,
    );

    const endMs = performance.now() + restSeconds * 1000;
    while (performance.now() < endMs) {
      await delay(2_000);
      expect(await writes(cluster())).to.equal(edited);
    }
  });
});
