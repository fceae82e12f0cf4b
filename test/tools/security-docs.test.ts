import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'security.md'), 'utf8');

/** The promises of the page: the last cell of a row, a test file and a part of the test's title. */
const rows = [...page.matchAll(/ \| `([a-z-]+\/\S+\.test\.ts)`: (.+) \|$/gm)];

describe('docs/security.md', () => {
  it('names tests', () => {
    expect(rows).to.have.length.above(30);
  });

  for (const [, file = '', title = ''] of rows) {
    it(`names a test that exists: ${file}: ${title}`, () => {
      expect(readFileSync(join(root, 'test', file), 'utf8')).to.include(title);
    });
  }
});
