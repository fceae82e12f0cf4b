import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { reasons } from '../../src/operator/verdict.ts';

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'status.md'), 'utf8');
const [, table = ''] = text.split('| reason |');

describe('docs/status.md', () => {
  it('has every reason that a condition can have, and no other', () => {
    const rows = table.split('\n').flatMap((line) => line.split('|')[1]?.match(/`\w+`/g) ?? []);
    expect(rows.map((word) => word.slice(1, -1))).to.have.members([...reasons]);
  });
});
