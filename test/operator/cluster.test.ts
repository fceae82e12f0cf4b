import { expect } from 'chai';
import { Events } from '../../src/kube/events.ts';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import { isKubeError } from '../../src/kube/kube-error.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { Cluster } from '../../src/operator/cluster.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';

describeWithCluster('Cluster', (controlPlane) => {
  it('does not write the status of a RealmRelay that was edited meanwhile: the edit would go unseen', async () => {
    const client = new KubeClient(kubeConfigLoader({ file: controlPlane().kubeconfig }), systemClock);
    const log = createLogger('off');
    const events = new Events({ client, clock: systemClock, log, instance: 'test' });
    const cluster = new Cluster(client, events, { clock: systemClock, log });
    const edge = new Edge(controlPlane(), await controlPlane().namespace());
    const before = await edge.applyRelay('web', spec());
    await edge.applyRelay('web', spec(9443));
    const error: unknown = await cluster
      .writeStatus(before, { observedGeneration: 1 })
      .catch((thrown: unknown) => thrown);
    await client.close();
    expect(isKubeError(error, 409)).to.be.true;
    expect(cluster.relay(`${edge.namespace}/web`)).to.equal(undefined);
  });
});
