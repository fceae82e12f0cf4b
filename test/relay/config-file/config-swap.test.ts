import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigFileError, readConfig } from '../../../src/relay/config-file/read-config.ts';

/** Swaps ConfigMap folders as kubelet does: a new folder, the link renamed over, the old folder removed. */
const swapper = `const fs = require('node:fs'); const { join } = require('node:path');
const [folder, files] = [process.argv[2], Number(process.argv[3])];
let version = 0;
const swap = () => {
  const name = '..v' + (version += 1);
  fs.mkdirSync(join(folder, name));
  for (let i = 0; i < files; i += 1) fs.writeFileSync(join(folder, name, 'f' + i + '.json'), String(version));
  fs.symlinkSync(name, join(folder, '..data_tmp'));
  fs.renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  if (version > 1) fs.rmSync(join(folder, '..v' + (version - 1)), { recursive: true });
};
swap();
process.send('ready');
setInterval(swap, 4);`;

const files = 30;

describe('a ConfigMap that is swapped while it is read', () => {
  let root: string;
  let child: ChildProcess | undefined;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'realm-swap-'));
  });

  afterEach(async () => {
    if (child?.exitCode === null) {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    rmSync(root, { recursive: true });
  });

  for (const inner of ['', 'inner']) {
    it(`is never read as a mix of two versions${inner && ', in a nested folder'}`, async () => {
      const folder = join(root, inner);
      mkdirSync(folder, { recursive: true });
      for (let i = 0; i < files; i += 1) {
        symlinkSync(join('..data', `f${String(i)}.json`), join(folder, `f${String(i)}.json`));
      }
      writeFileSync(join(root, 'swapper.cjs'), swapper);
      child = fork(join(root, 'swapper.cjs'), [folder, String(files)]);
      await once(child, 'message');
      const seen = new Set<string>();
      for (let reads = 0; reads < 100 || seen.size < 10; reads += 1) {
        try {
          const { texts } = await readConfig(root);
          const versions = new Set(texts.map(({ text }) => text));
          expect([texts.length, versions.size]).to.deep.equal([files, 1]);
          for (const version of versions) seen.add(version);
        } catch (error) {
          if (!(error instanceof ConfigFileError)) throw error;
          expect(error.message).to.contain('it keeps changing while it is read');
        }
      }
    });
  }
});
