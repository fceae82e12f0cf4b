import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runOrThrow } from '../cluster/run.ts';

const root = join(import.meta.dirname, '..', '..');

function digest(archive: string): string {
  return createHash('sha256').update(readFileSync(archive)).digest('hex');
}

describe('image', () => {
  it('has the same digest in two builds', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'realm-image-'));
    try {
      await runOrThrow([join(root, 'tools', 'image.sh'), folder]);
      const archives = [join(root, 'dist', 'image'), folder].map((each) => join(each, 'realm-operator.tar'));
      const [first, second] = archives.map(digest);
      expect(second).to.equal(first);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }).timeout(120_000);
});
