import { expect } from 'chai';
import { remoteWeights } from '../../src/gateway/weights.ts';

describe('weights of remotes', () => {
  const cases: { shares: readonly number[]; weights: readonly number[] }[] = [
    { shares: [], weights: [] },
    { shares: [1_000_000], weights: [1] },
    { shares: [1, 1, 1], weights: [1, 1, 1] },
    { shares: [70, 30], weights: [7, 3] },
    { shares: [500_000, 250_000], weights: [2, 1] },
    { shares: [1 / 3, 1 / 3, 1 / 3, 1], weights: [1, 1, 1, 3] },
    { shares: [1, 1_000_000], weights: [1, 255] },
  ];
  for (const { shares, weights } of cases)
    it(`are [${weights.join()}] for shares [${shares.join()}]`, () => {
      expect(remoteWeights(shares)).to.deep.equal(weights);
    });

  it('are within 1 % of what was asked for, for any pair up to 1:100', () => {
    for (let part = 1; part < 100; part += 1) {
      const [a = 0, b = 0] = remoteWeights([part, 100 - part]);
      expect(Math.abs(a / (a + b) - part / 100), String(part)).to.be.below(0.01);
    }
  });
});
