import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bundle, bundledSources } from '../../tools/build.ts';

/** The SHA-256 of each file below `folder`, by its path. */
function digests(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  return Object.fromEntries(paths.sort().map((path) => [path.slice(folder.length), digest(path)]));
}

describe('bundle', () => {
  it('is the same, byte for byte, in two builds', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'realm-build-'));
    try {
      const [first, second] = [join(folder, 'first'), join(folder, 'second')];
      await bundle({ write: true, folder: first });
      await bundle({ write: true, folder: second });
      expect(Object.keys(digests(first))).to.include.members(['/realm.js', '/realm-operator.js']);
      expect(digests(first)).to.deep.equal(digests(second));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('keeps the Kubernetes client and zod out of the relay', async () => {
    const metafile = await bundle({ write: false });
    const heavy = /(^|\/)node_modules\/(@kubernetes\/client-node|undici|zod)\//;
    const isHeavy = (source: string): boolean => heavy.test(source);
    for (const program of ['dist/realm.js', 'dist/relay-worker.js']) {
      const sources = [...bundledSources(metafile, program)];
      expect(sources, program).to.include('src/relay/connection/tcp-connection.ts');
      expect(sources.filter(isHeavy), program).to.deep.equal([]);
    }
    expect([...bundledSources(metafile, 'dist/realm-operator.js')].some(isHeavy)).to.equal(true);
  });

  it('contains only the parts of the operator’s packages that it uses', async () => {
    const { outputs } = await bundle({ write: false });
    const sources = Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs));
    const unused =
      /(^|\/)node_modules\/(@kubernetes\/client-node\/dist\/gen\/models|undici\/lib\/(mock|cache|interceptor)|zod\/v4\/locales\/(?!en|index))/;
    expect(sources.filter((source) => unused.test(source))).to.deep.equal([]);
    const imports = Object.values(outputs).flatMap((output) => output.imports);
    expect(imports.map(({ path }) => path)).to.not.include('node:http2');
    for (const used of ['@kubernetes/client-node/dist/config.js', 'undici/lib/dispatcher/agent.js'])
      expect(sources.filter((source) => source.endsWith(`node_modules/${used}`))).to.have.length(1);
  });

  it('has no import statement of a module of Node.js, since that would read everything of it', async () => {
    const { outputs } = await bundle({ write: false });
    expect(Object.keys(outputs)).to.include.members([
      'dist/realm.js',
      'dist/realm-operator.js',
      'dist/relay-worker.js',
    ]);
    for (const [file, { imports }] of Object.entries(outputs)) {
      const imported = imports.filter(({ kind, path }) => kind === 'import-statement' && isBuiltin(path));
      expect(imported, file).to.deep.equal([]);
    }
  });

  it('keeps the page of the relay in a separate file, which is loaded at the first request', async () => {
    const metafile = await bundle({ write: false });
    expect(bundledSources(metafile, 'dist/realm.js')).to.include('src/relay/admin/page/html.ts');
    const [file] = Object.values(metafile.outputs).filter(
      ({ inputs }) => 'src/relay/admin/page/html.ts' in inputs,
    );
    expect(Object.keys(file?.inputs ?? {})).to.deep.equal(['src/relay/admin/page/html.ts']);
  });

  it('loads TLS and WebSocket only if a relay is configured with them', async () => {
    const metafile = await bundle({ write: false });
    // Everything except the module that loads them, and those that only read a ClientHello.
    const isTransport = (source: string): boolean =>
      /(^|\/)(node_modules\/ws|src\/relay\/transport)\/(?!(transports|client-hello|waiting-client)\.ts$)/.test(
        source,
      );
    const sources = (from: 'start' | 'ever'): string[] => [
      ...bundledSources(metafile, 'dist/realm.js', from),
    ];
    expect(sources('start').filter(isTransport)).to.deep.equal([]);
    expect(sources('ever').some(isTransport)).to.equal(true);
  });
});
