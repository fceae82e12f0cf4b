import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { InstalledRelay, make, root } from './installed.ts';

describe('single executable', () => {
  let folder: string;
  let command: string;

  before(function () {
    this.timeout(600_000);
    folder = mkdtempSync(join(tmpdir(), 'realm-executable-'));
    make('executable');
    command = join(folder, 'realm-operator');
    copyFileSync(
      join(root, 'dist', 'executable', `realm-operator-${version}-linux-${process.arch}`),
      command,
    );
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('serves by two threads from a folder that contains nothing else, and hands its ports to another process of it', async () => {
    const relay = await InstalledRelay.start(command, {});
    try {
      await relay.expectService();
      process.kill(relay.pids[0] ?? 0, 'SIGUSR2');
      await relay.succeeded();
      expect(await relay.greetings()).to.deep.equal(['hello', 'hello']);
      expect(await relay.threads()).to.equal(2);
    } finally {
      relay.end();
    }
  });

  for (const [name, args] of Object.entries({
    operator: ['operator', '--help'],
    relay: ['relay', '--help'],
    validate: ['validate', '--filename', join(root, 'examples')],
    render: ['render', '--filename', join(root, 'examples', 'web.yaml')],
    version: ['version'],
  }))
    it(`has the command ${name}, and no option of Node.js`, () => {
      const env = { NODE_OPTIONS: '--version' };
      const { status, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
      expect({ status, stderr: stderr.replaceAll(/^.*: warning: .*\n/gm, '') }).to.deep.equal({
        status: 0,
        stderr: '',
      });
    });
});
