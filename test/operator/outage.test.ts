import { expect } from 'chai';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';

const crds = 'crds/realmrelays.yaml';

/** With a control plane of its own, since it takes the API server away. */
describeWithCluster('operator when the API server goes', function () {
  let own: ControlPlane;
  let edge: Edge;

  before(async () => {
    own = await startControlPlane({ manifests: [crds], controllerManager: false });
    edge = new Edge(own, await own.namespace());
    await edge.start();
  });

  after(async () => {
    await edge.stop();
    await own.stop();
  });

  it('goes on when its watches are cut and their place in history is forgotten (410)', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    edge.logged.length = 0;

    await own.restartApiServer();
    await edge.write('DELETE', 'services/web');
    await edge.applyRelay('web', spec(9443));

    await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes('9443'));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const failures = edge.logged
      .filter(({ msg }) => msg === 'watch failed, retrying')
      .map(({ err }) => err as { status?: number });
    expect(
      failures.some(({ status }) => status === undefined),
      'a connection was cut',
    ).to.be.true;
    expect(failures.map(({ status }) => status)).to.include(410);
  });

  it('starts without one, and works when it is there', async () => {
    await edge.stop();
    await own.stopApiServer();
    const starting = edge.start();
    await own.startApiServer();
    await starting;
    await edge.applyRelay('later', spec());
    await edge.expect('deployments/later');
  });
});
