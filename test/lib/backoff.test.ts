import { expect } from 'chai';
import { backoffMs } from '../../src/lib/backoff.ts';

describe('backoffMs', () => {
  const backoff = { initialMs: 1_000, maxMs: 30_000 };

  it('doubles up to its ceiling', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 1_000].map((failures) => backoffMs(backoff, failures, 1));
    expect(longest).to.deep.equal([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('subtracts up to half at random', () => {
    expect(backoffMs(backoff, 3, 0)).to.equal(2_000);
    expect(backoffMs(backoff, 3, 0.5)).to.equal(3_000);
  });
});
