import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import type { Relay } from '../../src/api/relay.ts';
import type { RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { configText, realmDocument } from '../../src/desired/config-map.ts';
import { neededSecrets, secretsFolder } from '../../src/desired/transports.ts';
import { describeRustRealm, RustRealm } from '../support/rust-realm.ts';
import { TestPki } from '../relay/transport/pki.ts';
import { parsed } from '../support/realm-relays.ts';
import { goldenRelays } from './golden-relays.ts';

const examples = join(import.meta.dirname, '..', '..', 'examples');

/** The relays of `file` in examples/. */
function exampleRelays(file: string): Record<string, Relay> {
  const manifests = loadAll(readFileSync(join(examples, file), 'utf8')) as RealmRelay[];
  return Object.fromEntries(
    manifests.map((manifest) => [`examples/${file}, ${manifest.metadata.name}`, parsed(manifest)]),
  );
}

const relays = { ...goldenRelays, ...exampleRelays('web.yaml'), ...exampleRelays('worlds.yaml') };

describeRustRealm('the Rust realm starts from what is rendered', () => {
  let folder: string;
  let pki: TestPki;

  before(() => {
    pki = new TestPki();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  after(() => {
    pki.remove();
  });

  /** The Secrets of `relay`, as kubelet would mount them, below the test's folder. */
  function mountSecrets({ endpoints }: Relay): void {
    for (const { name, keys } of neededSecrets(endpoints)) {
      const { cert, key } = pki.pair('a.example');
      for (const file of keys) write(join(name, file), readFileSync(file === 'tls.key' ? key : cert, 'utf8'));
    }
  }

  function write(name: string, text: string): string {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  for (const [name, relay] of Object.entries(relays)) {
    it(name, async () => {
      mountSecrets(relay);
      const realm = new RustRealm([
        '-c',
        write('config.json', configText(relay).replaceAll(secretsFolder, folder)),
      ]);
      const { endpoints } = realmDocument(relay);
      try {
        const lines = await realm.started(endpoints.length);
        expect(lines.map((line) => line.split(' ')[0])).to.deep.equal(endpoints.map(({ listen }) => listen));
      } finally {
        await realm.end();
      }
    });
  }
});
