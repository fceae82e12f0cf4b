import { globSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { testKinds } from '../../tools/test-kinds.ts';

/** What starts a control plane, or shares one. */
const clusterWords = /describeWith(Cluster|Helm)|startControlPlane|TwoOperators/;

describe('kinds of tests', () => {
  const kinds = testKinds();

  it('hold every test but those of make e2e, once', () => {
    const all = globSync('test/**/*.test.ts').filter((file) => !file.startsWith('test/e2e/'));
    expect(kinds.flatMap(({ files }) => files)).to.have.members(all);
    expect(kinds.filter(({ files }) => files.length === 0)).to.deep.equal([]);
  });

  it('wait for the test cluster if one of their tests needs it', () => {
    const starting = kinds.filter(({ needsCluster }) => !needsCluster).flatMap(({ files }) => files);
    const needing = starting.filter((file) => clusterWords.test(readFileSync(file, 'utf8')));
    expect(needing.filter((file) => file !== 'test/tools/test-kinds.test.ts')).to.deep.equal([]);
  });
});
