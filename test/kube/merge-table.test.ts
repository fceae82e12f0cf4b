import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { mergeTableFile, mergeTableText } from '../../tools/merge-table.ts';

describeWithCluster('src/kube/merge-table.ts', (cluster) => {
  it('is what the OpenAPI documents of the API server state', async () => {
    const text = await mergeTableText(cluster());
    expect(readFileSync(mergeTableFile, 'utf8'), 'run "make merge-table"').to.equal(text);
  });
});
