import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { runOrThrow } from '../../cluster/run.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const programs = ['curl', 'sleep'];

/**
 * Builds an archive of the image `name` from the curl of this machine, because a test pulls no image.
 *
 * @param name  the reference that manifests have, with registry and tag.
 * @returns the path of the archive; the caller removes its folder.
 */
export async function curlImage(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-curl-'));
  const files = join(folder, 'rootfs');
  for (const program of programs) {
    const file = realpathSync((await runOrThrow(['sh', '-c', `command -v ${program}`])).trim());
    copy(file, join(files, 'bin', program));
    const libraries = (await runOrThrow(['ldd', file])).match(/\/[^ ]+/g) ?? [];
    for (const library of libraries)
      copy(realpathSync(library), join(files, dirname(library), basename(library)));
  }
  mkdirSync(join(files, 'etc'));
  writeFileSync(join(files, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
  const archive = join(folder, 'curl.tar');
  const config = JSON.stringify({ User: '65532:65532', Env: ['PATH=/bin'] });
  await runOrThrow([join(root, 'tools', 'oci-archive.sh'), files, name, archive, config]);
  rmSync(files, { recursive: true });
  return archive;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}
