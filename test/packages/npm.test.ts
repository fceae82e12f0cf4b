import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { InstalledRelay, make, root, runOrThrow, systemOnly } from './installed.ts';

describe('npm package', () => {
  const file = join(root, 'dist', 'npm', `realm-operator-${version}.tgz`);
  let folder: string;
  let command: string;
  let env: NodeJS.ProcessEnv;

  before(function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), 'realm-npm-'));
    env = {
      ...process.env,
      HOME: folder,
      npm_config_cache: join(folder, 'cache'),
      npm_config_update_notifier: 'false',
    };
    make('npm-package');
    // Its one dependency, Node.js, is put in place below, because tests have no registry.
    const flags = ['--offline', '--omit=optional', '--no-audit', '--no-fund'];
    runOrThrow('npm', ['install', '--global', '--prefix', folder, ...flags, file], { env });
    command = join(folder, 'bin', 'realm-operator');
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('contains the program and nothing else', () => {
    const paths = runOrThrow('tar', ['-tzf', file]).trim().split('\n');
    const other = paths.filter(
      (path) => !/^package\/dist\/chunks\/[A-Za-z0-9_-]+\.js(\.LEGAL\.txt)?$/.test(path),
    );
    expect(other).to.have.members([
      'package/CHANGELOG.md',
      'package/LICENSE',
      'package/README.md',
      'package/bin/kubectl-realm',
      'package/bin/realm-operator',
      'package/dist/realm-operator.js',
      'package/package.json',
    ]);
  });

  it('runs by npx', () => {
    const args = ['--offline', '--yes', '--package', file, 'realm-operator', 'version'];
    expect(runOrThrow('npx', args, { env: { ...env, npm_config_omit: 'optional' } })).to.equal(
      `${version}\n`,
    );
  });

  it('states what it needs on a machine with no Node.js at all', () => {
    const path = join(folder, 'no-node');
    mkdirSync(path);
    for (const name of ['readlink', 'uname'])
      symlinkSync(runOrThrow('which', [name]).trim(), join(path, name));
    const { status, stderr } = spawnSync(command, ['version'], { env: { PATH: path }, encoding: 'utf8' });
    expect({ status, stderr }).to.deep.equal({
      status: 1,
      stderr:
        'realm-operator needs Node.js 24.2 or newer: install it from https://nodejs.org/, or this package with its optional dependencies\n',
    });
  });

  describe('with its dependency', () => {
    const name = `node-${process.platform}-${process.arch}`;
    /** Where npm puts the dependency of a global package, and of one in a project. */
    const places = ['lib/node_modules/realm-operator/node_modules', 'lib/node_modules'];

    for (const place of places)
      it(`serves by two threads of the Node.js in ${place}, whatever node is on PATH`, async function () {
        const old = join(folder, 'old');
        mkdirSync(old, { recursive: true });
        writeFileSync(join(old, 'node'), '#!/bin/sh\necho an old Node.js ran >&2\nexit 9\n');
        chmodSync(join(old, 'node'), 0o755);
        const link = join(folder, place, name);
        mkdirSync(join(folder, place), { recursive: true });
        symlinkSync(join(root, 'node_modules', name), link);
        const relay = await InstalledRelay.start(command, { PATH: `${old}:${systemOnly['PATH'] ?? ''}` });
        try {
          await relay.expectService();
        } finally {
          relay.end();
          rmSync(link);
        }
      });
  });
});
