import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { staleFiles } from '../../tools/generate.ts';

describe('generated files', () => {
  it('match their sources', () => {
    expect(staleFiles()).to.deep.equal([]);
  });

  it('have no defaults except the two that do not show as drift', () => {
    const crd = readFileSync(new URL('../../crds/realmrelays.yaml', import.meta.url), 'utf8');
    expect(crd.match(/^ *default:.*$/gm)?.map((line) => line.trim())).to.deep.equal([
      'default: 1',
      'default:',
    ]);
  });
});

describe('version', () => {
  it('equals that of package.json', () => {
    const { version: packaged } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { version: string };
    expect(version).to.equal(packaged);
  });
});
