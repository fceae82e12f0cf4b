import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8');

describe('docs/security.md', () => {
  const rows = [...page.matchAll(/^\| (.+) \| `([^`]+\.test\.ts)`: (.+) \|$/gm)];

  it('has a test for all that it says holds', () => {
    const lines = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('.test.ts'));
    expect(rows).to.have.length(lines.length).above(30);
  });

  for (const [, what = '', file = '', title = ''] of rows) {
    it(`names a test that exists: ${what}`, () => {
      expect(readFileSync(join(root, 'test', file), 'utf8').replaceAll('\\', '')).to.contain(title);
    });
  }

  it('names files of tests that exist', () => {
    for (const [, file = ''] of page.matchAll(/`(test\/[^`]+\.ts)`/g)) {
      expect(readFileSync(join(root, file), 'utf8')).to.not.equal('');
    }
  });
});
