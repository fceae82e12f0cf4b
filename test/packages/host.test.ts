import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { InstalledRelay, make, root, runOrThrow, systemOnly } from './installed.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;
const debian: string = process.arch === 'x64' ? 'amd64' : process.arch;

describe('packages for hosts', () => {
  const dist = join(root, 'dist', 'host');
  const tarball = join(dist, `realm-operator-${version}-linux-${process.arch}.tar.gz`);
  const deb = join(dist, `realm-operator_${version}_${debian}.deb`);
  const withDpkg = has('dpkg-deb') ? it : it.skip;
  let folder: string;

  before(function () {
    this.timeout(600_000);
    folder = mkdtempSync(join(tmpdir(), 'realm-host-'));
    make('host-packages');
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** An empty folder. */
  function empty(name: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  }

  it('tarball: serves by two threads from the folder where it is extracted', async () => {
    const path = empty('local');
    runOrThrow('tar', ['-xzf', tarball, '-C', path, '--strip-components=1']);
    const relay = await InstalledRelay.start(join(path, 'bin', 'realm-operator'));
    try {
      await relay.expectService();
    } finally {
      relay.end();
    }
    for (const completion of [
      'bash-completion/completions/realm-operator',
      'fish/vendor_completions.d/realm-operator.fish',
      'zsh/site-functions/_realm-operator',
    ])
      expect(readFileSync(join(path, 'share', completion), 'utf8')).to.include('validate');
    const unit = readFileSync(join(path, 'lib/systemd/system/realm-operator.service'), 'utf8');
    expect(unit).to.include('ExecStart=/usr/local/bin/realm-operator ');
  });

  const asRoot = process.getuid?.() === 0 ? withDpkg : it.skip; // dpkg installs as root only
  asRoot(
    'Debian package: serves by two threads from a clean root, and an upgrade hands its ports to the new version',
    async function () {
      this.timeout(600_000);
      const system = empty('system');
      mkdirSync(join(system, 'var/lib/dpkg/updates'), { recursive: true });
      mkdirSync(join(system, 'run/systemd/system'), { recursive: true });
      writeFileSync(join(system, 'var/lib/dpkg/status'), '');
      const programs = empty('programs');
      const calls = join(programs, 'calls');
      const mainPid = join(programs, 'pid');
      for (const name of ['systemctl', 'systemd-sysusers']) {
        const answer = `case "$*" in show*) cat ${mainPid} ;; *is-active*) kill -0 "$(cat ${mainPid})" ;; esac`;
        writeFileSync(join(programs, name), `#!/bin/sh\necho "${name} $*" >>${calls}\n${answer}\n`);
        chmodSync(join(programs, name), 0o755);
      }
      const env = { PATH: `${programs}:${systemOnly['PATH'] ?? ''}` };
      const dpkg = (...args: string[]): string => {
        writeFileSync(calls, '');
        const flags = ['--root', system, '--force-script-chrootless', '--force-depends', '--force-not-root'];
        runOrThrow('dpkg', [...flags, ...args], { env });
        return readFileSync(calls, 'utf8');
      };
      expect(dpkg('--install', deb).split('\n')).to.include(
        'systemctl enable --quiet realm-operator.service',
      );
      expect(existsSync(join(system, 'etc/realm-operator'))).to.equal(true);
      const relay = await InstalledRelay.start(join(system, 'usr/bin/realm-operator'));
      try {
        await relay.expectService();
        writeFileSync(mainPid, String(relay.pids[0]));
        expect(dpkg('--install', deb)).to.not.include('systemctl enable');
        await relay.succeeded();
        expect(await relay.greetings()).to.deep.equal(['hello', 'hello']);
        expect(await relay.threads()).to.equal(2);
      } finally {
        relay.end();
      }
      const wanted = join(system, 'etc/systemd/system/multi-user.target.wants');
      const link = join(wanted, 'realm-operator.service'); // what the real systemctl makes to enable it
      mkdirSync(wanted, { recursive: true });
      symlinkSync('/lib/systemd/system/realm-operator.service', link);
      expect(dpkg('--remove', 'realm-operator')).to.include('systemctl stop realm-operator.service');
      expect(existsSync(join(system, 'usr/bin/realm-operator'))).to.equal(false);
      dpkg('--install', deb);
      expect(readdirSync(wanted), 'after it is installed again').to.deep.equal(['realm-operator.service']);
      dpkg('--purge', 'realm-operator');
      expect(readdirSync(wanted), 'after a purge').to.deep.equal([]);
    },
  );

  withDpkg('Debian package: states what it is', () => {
    const fields = runOrThrow('dpkg-deb', ['--field', deb]);
    expect(fields)
      .to.match(/^Package: realm-operator$/m)
      .and.to.match(new RegExp(`^Version: ${version}$`, 'm'));
    const contents = runOrThrow('dpkg-deb', ['--contents', deb]);
    expect(contents)
      .to.include('root/root')
      .and.to.include('./usr/lib/systemd/system/realm-operator.service');
    expect(contents).to.include('./usr/share/doc/realm-operator/copyright');
    expect(contents).to.include('./usr/share/zsh/vendor-completions/_realm-operator');
  });

  const withSystemd = has('systemd-analyze') && has('dpkg-deb') ? it : it.skip;
  withSystemd('systemd unit: is valid, and exposes little', () => {
    const path = empty('unit');
    runOrThrow('dpkg-deb', ['--extract', deb, path]);
    const file = join(path, 'usr/lib/systemd/system/realm-operator.service');
    const unit = readFileSync(file, 'utf8').replace('/usr/bin/', join(path, 'usr/bin/'));
    const copy = join(path, 'realm-operator.service');
    writeFileSync(copy, unit);
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', copy], { encoding: 'utf8' });
    const own = verified.stderr.split('\n').filter((line) => line.includes('realm-operator'));
    expect({ status: verified.status, own }).to.deep.equal({ status: 0, own: [] });
    // 0 is safe, 10 is unsafe; without the hardening it is 9.6.
    runOrThrow('systemd-analyze', ['security', '--offline=true', '--threshold=25', copy]);
    for (const line of [
      'Type=notify',
      'NotifyAccess=all',
      'ExecReload=/bin/kill -HUP $MAINPID',
      'LimitNOFILE=1048576',
    ])
      expect(unit.split('\n')).to.include(line);
  });

  it('are the same, byte for byte, in two builds', function () {
    const digests = ['first', 'second'].map((name) => {
      const path = empty(name);
      // A small program in place of Node.js, which is copied as it is.
      runOrThrow(join(root, 'tools', 'host-packages.sh'), [path, process.arch, '/bin/true']);
      return [tarball, deb]
        .map((file) => join(path, file.slice(dist.length)))
        .filter((file) => existsSync(file))
        .map((file) => createHash('sha256').update(readFileSync(file)).digest('hex'));
    });
    expect(digests[0]).to.have.length(has('dpkg-deb') ? 2 : 1);
    expect(digests[0]).to.deep.equal(digests[1]);
  });
});
