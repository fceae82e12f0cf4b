import { expect } from 'chai';
import { canonicalQuantity } from '../../src/desired/quantity.ts';
import { describeWithCluster } from '../cluster/shared.ts';

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
  ['0.0001', '1m'],
  ['1.0005', '1001m'],
  ['0.0001Gi', '107374183m'],
];

describe('canonicalQuantity', () => {
  for (const [quantity, canonical] of cases) {
    it(`${String(quantity)} is ${canonical}`, () => {
      expect(canonicalQuantity(quantity)).to.equal(canonical);
    });
  }

  it('reports what it cannot read', () => {
    expect(() => canonicalQuantity('1e3')).to.throw(TypeError, '1e3');
  });
});

describeWithCluster('canonicalQuantity and the API server', (cluster) => {
  it('keep the same text of a quantity', async () => {
    const path = `/api/v1/namespaces/${await cluster().namespace()}/resourcequotas?dryRun=All`;
    for (const [quantity, canonical] of cases) {
      const quota = { metadata: { name: 'q' }, spec: { hard: { 'requests.cpu': quantity } } };
      const { json } = await cluster().request('POST', path, quota);
      const kept = json() as { spec?: { hard?: Record<string, string> } };
      expect(kept.spec?.hard?.['requests.cpu'], String(quantity)).to.equal(canonical);
    }
  });
});
