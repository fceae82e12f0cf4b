import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { childrenOfWeb, Edge, spec } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';

describeWithCluster('operator of some namespaces', (cluster) => {
  let edges: [Edge, Edge, Edge];

  beforeEach(async () => {
    const names = await Promise.all([1, 2, 3].map(() => cluster().namespace()));
    const [first, second, third] = names.map((name) => new Edge(cluster(), name));
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('three were asked for');
    edges = [first, second, third];
    for (const edge of edges) await edge.applyRelay('web', spec());
  });

  afterEach(() => edges[0].stop());

  it('watches the namespaces that it is given, and no others', async () => {
    const [first, second, third] = edges;
    await first.start([first.namespace, second.namespace]);
    for (const edge of [first, second]) await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await second.write('DELETE', 'configmaps/web-config');
    await second.expect('configmaps/web-config');
    for (const child of childrenOfWeb) expect(await third.find(child)).to.equal(undefined);
  });

  it('watches the namespaces of a list with commas', async () => {
    const [first, second, third] = edges;
    const names = `--namespace=${first.namespace},${second.namespace}`;
    const operator = new OperatorProcess([`--kubeconfig=${cluster().kubeconfig}`, names]);
    try {
      for (const edge of [first, second])
        await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      for (const child of childrenOfWeb) expect(await third.find(child)).to.equal(undefined);
    } finally {
      await operator.end();
    }
  });

  it('watches all namespaces if it is given none', async () => {
    await edges[0].start([]);
    for (const edge of edges) await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });
});
