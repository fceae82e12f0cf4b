import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleInOneFile } from './build.ts';
import { version } from '../src/lib/version.ts';

const root = join(import.meta.dirname, '..');

/**
 * Builds the single executable: a copy of Node.js with every command of `realm-operator` in it. Source: Node's manual,
 * "Single executable applications".
 *
 * @param architecture  of `node`, e.g. `arm64`. @param node  a Node.js of the version that runs this.
 * @returns its path.
 */
export async function buildExecutable(folder: string, architecture: string, node: string): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), 'realm-executable-'));
  const output = join(folder, `realm-operator-${version}-linux-${architecture}`);
  try {
    const [main, executable, config] = ['main.mjs', 'node', 'config.json'].map((name) =>
      join(work, name),
    ) as [string, string, string];
    await bundleInOneFile(main);
    copyFileSync(node, executable);
    execFileSync(join(root, 'tools', 'strip-debug.sh'), [executable]);
    const options = {
      main,
      mainFormat: 'module',
      executable,
      output,
      disableExperimentalSEAWarning: true,
      useSnapshot: false, // neither it nor the code cache works on another architecture
      useCodeCache: false,
      execArgv: ['--disable-sigusr1'],
      execArgvExtension: 'none', // NODE_OPTIONS of the user are for other programs
    };
    writeFileSync(config, JSON.stringify(options));
    mkdirSync(folder, { recursive: true });
    execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  } finally {
    rmSync(work, { recursive: true });
  }
  return output;
}

if (import.meta.main) {
  const [architecture = process.arch, node = process.execPath, folder = join(root, 'dist', 'executable')] =
    process.argv.slice(2);
  await buildExecutable(folder, architecture, node);
}
