import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { explore } from './explorer.ts';

describeWithCluster('operator, edits at random', (cluster) => {
  /** A fixed slice of `make explore`. */
  it('leaves after each edit what a new RealmRelay of the same spec gets, and leaves every bad state', async () => {
    const { edits, refused, compared, bad, violations } = await explore(cluster(), 7, 100);
    expect(violations).to.deep.equal([]);
    expect(refused + compared + bad).to.equal(edits);
    expect(Math.min(refused, bad), 'some edits are not valid').to.be.greaterThan(0);
    expect(compared).to.be.greaterThan(edits / 3);
  });
});
