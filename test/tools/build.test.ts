import { expect } from 'chai';
import { bundle, bundledSources } from '../../tools/build.ts';

describe('bundle', () => {
  it('keeps the Kubernetes client and zod out of the relay', async function () {
    this.timeout(30_000);
    const metafile = await bundle({ write: false });
    const heavy = /^node_modules\/(@kubernetes\/client-node|undici|zod)\//;
    const isHeavy = (source: string): boolean => heavy.test(source);
    expect([...bundledSources(metafile, 'dist/realm.js')].filter(isHeavy)).to.deep.equal([]);
    expect([...bundledSources(metafile, 'dist/realm-operator.js')].some(isHeavy)).to.equal(true);
  });

  it('has the page of the relay in a file of its own, which is loaded when somebody looks', async function () {
    this.timeout(30_000);
    const metafile = await bundle({ write: false });
    expect(bundledSources(metafile, 'dist/realm.js')).to.include('src/relay/page/html.ts');
    const [file] = Object.values(metafile.outputs).filter(({ inputs }) => 'src/relay/page/html.ts' in inputs);
    expect(Object.keys(file?.inputs ?? {})).to.deep.equal(['src/relay/page/html.ts']);
  });
});
