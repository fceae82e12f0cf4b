import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeRustRealm, RustRealm } from '../support/rust-realm.ts';
import { code, rows, documentWith } from './realm-compat-page.ts';

describeRustRealm('docs/realm-compat.md is right about the Rust realm', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-compat-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function write(document: unknown): string {
    const path = join(folder, 'x');
    writeFileSync(path, JSON.stringify(document).replaceAll(/\[::1?\]:8[01]/g, '127.0.0.1:0'));
    return path;
  }

  for (const [key = '', , example] of rows('Keys')) {
    it(`which accepts ${key}: ${code(example)}`, async () => {
      const document = documentWith(code(key), JSON.parse(code(example)));
      const realm = new RustRealm(['-c', write(document)]);
      try {
        await realm.started((document as { endpoints: unknown[] }).endpoints.length);
      } finally {
        await realm.end();
      }
    });
  }

  for (const [flag = '', here = '', example] of rows('Flags')) {
    const isOurs = here.startsWith('ours');
    it(`which ${isOurs ? 'does not know' : 'accepts'} ${flag}: ${code(example)}`, async () => {
      const argv = code(example).split(' ');
      // Without an endpoint, or with one that has neither TCP nor UDP, it exits on its own.
      const hasEndpoint = argv.includes('-l');
      const path = write({ endpoints: [] });
      const realm = new RustRealm([
        ...argv.map((word) => (word === 'x' ? path : word)),
        ...(hasEndpoint ? ['-t'] : []),
      ]);
      expect(await realm.ended).to.equal(isOurs ? 2 : 0);
    });
  }
});
