import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { configText, realmDocument } from '../../src/desired/config-map.ts';
import { goldenRelays } from './golden-relays.ts';

const realm = process.env['REALM'];
const why = realm === undefined ? ' (skipped: REALM names no binary of the Rust realm)' : '';

// The Rust realm prints one line `inited: …` per endpoint that it has understood, before it binds any.
(realm === undefined ? describe.skip : describe)(`the Rust realm starts from what is rendered${why}`, () => {
  for (const [name, relay] of Object.entries(goldenRelays)) {
    it(name, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
      const file = join(folder, 'config.json');
      const { endpoints } = realmDocument(relay);
      writeFileSync(file, configText(relay));
      const child = spawn(realm ?? '', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
      const ended = once(child, 'exit');
      let inited = 0;
      for await (const line of createInterface(child.stdout)) {
        if (line.startsWith('inited:')) inited += 1;
        if (inited === endpoints.length) break;
      }
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true });
      expect(inited).to.equal(endpoints.length);
    });
  }
});
