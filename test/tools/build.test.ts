import { expect } from 'chai';
import { bundle, bundledSources } from '../../tools/build.ts';

describe('bundle', () => {
  it('keeps the Kubernetes client out of the relay', async function () {
    this.timeout(30_000);
    const metafile = await bundle({ write: false });
    const client = /^node_modules\/(@kubernetes\/client-node|undici)\//;
    const isClient = (source: string): boolean => client.test(source);
    expect([...bundledSources(metafile, 'dist/realm.js')].filter(isClient)).to.deep.equal([]);
    expect([...bundledSources(metafile, 'dist/realm-operator.js')].some(isClient)).to.equal(true);
  });
});
