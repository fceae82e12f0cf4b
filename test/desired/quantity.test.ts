import { expect } from 'chai';
import { canonicalQuantity } from '../../src/desired/quantity.ts';

// Expected values: what kube-apiserver 1.37 gave back for each.
describe('canonicalQuantity', () => {
  const cases: [string | number, string][] = [
    ['1000m', '1'],
    ['100m', '100m'],
    ['0.5', '500m'],
    [1, '1'],
    [2000, '2k'],
    ['1500', '1500'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['512Ki', '512Ki'],
    ['0.5Ki', '512'],
    ['0', '0'],
    ['1000000k', '1G'],
    ['0.0001', '100u'],
  ];
  for (const [quantity, canonical] of cases) {
    it(`${String(quantity)} is ${canonical}`, () => {
      expect(canonicalQuantity(quantity)).to.equal(canonical);
    });
  }

  it('says what it cannot read', () => {
    expect(() => canonicalQuantity('1e3')).to.throw(TypeError, '1e3');
  });
});
