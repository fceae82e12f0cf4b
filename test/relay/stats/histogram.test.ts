import { expect } from 'chai';
import { connectionBounds, dialBounds, Histogram, noCounts } from '../../../src/relay/stats/histogram.ts';

describe('histogram', () => {
  const cases = [
    { ms: 0, bucket: 0, why: 'nothing is below the first bound' },
    { ms: 1, bucket: 0, why: 'a bound belongs to its bucket, as `le` says' },
    { ms: 1.001, bucket: 1, why: 'above a bound' },
    { ms: 100, bucket: 2, why: 'at the last bound' },
    { ms: 86_400_000, bucket: 3, why: 'above every bound' },
  ];
  for (const { ms, bucket, why } of cases) {
    it(`counts ${String(ms)} ms in bucket ${String(bucket)}: ${why}`, () => {
      const histogram = new Histogram([0.001, 0.01, 0.1]);
      histogram.observe(ms);
      const { counts, sum } = histogram.counts;
      expect(counts).to.deep.equal([0, 1, 2, 3].map((each) => Number(each === bucket)));
      expect(sum).to.equal(ms / 1000);
    });
  }

  it('adds up', () => {
    const histogram = new Histogram([1]);
    for (const ms of [500, 250, 4000]) histogram.observe(ms);
    expect(histogram.counts).to.deep.equal({ counts: [2, 1], sum: 4.75 });
  });

  it('has as many buckets without values as with them', () => {
    for (const bounds of [dialBounds, connectionBounds]) {
      expect(new Histogram(bounds).counts).to.deep.equal(noCounts(bounds));
      expect(bounds).to.deep.equal(bounds.toSorted((a, b) => a - b));
    }
  });
});
