import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { laterModules } from '../../src/relay/server.ts';
import { bundle } from '../../tools/build.ts';
import { eventually } from '../support/eventually.ts';
import { endpoint, Loopback, split } from './loopback.ts';
import { RelayProcess, replaceConfig } from './relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Imported before a relay serves, or by a command that does not. */
const atStart = ['convert', 'worker-pool'];

describe('relay whose files an upgrade has removed', () => {
  it('keeps every module that it may import later', () => {
    const room = join(import.meta.dirname, '..', '..', 'src', 'relay');
    const imported = readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [...readFileSync(join(room, path), 'utf8').matchAll(/\bimport\('(\.[^']+)'\)/gu)])
      .map(([, path = '']) => basename(path, '.ts'));
    expect(imported.toSorted()).to.deep.equal([...laterModules, ...atStart].toSorted());
  });

  for (const program of ['realm.js', 'realm-operator.js relay'])
    it(`shows its page, explains a bind that fails, and begins to serve TLS: ${program}`, async function () {
      const folder = join(loopback.folder(), 'program');
      await bundle({ write: true, folder });
      const path = join(loopback.folder(), 'config.json');
      const remote = await loopback.greeter('hello');
      replaceConfig(path, { endpoints: [endpoint(remote)] });
      const script = `shift 2 && exec "${process.execPath}" "${folder}"/${program} "$@"`;
      const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0'], ['sh', '-c', script, 'sh']);
      loopback.onClose(() => relay.end());
      await relay.logged('relay started');
      rmSync(folder, { recursive: true });
      expect((await relay.get('/')).body).to.include('<title>Relay</title>');
      const tls = { name: 'tls', listen_transport: 'tls;servername=relay.example' };
      const taken = { name: 'taken', listen: remote };
      replaceConfig(path, { endpoints: [endpoint(remote), endpoint(remote, tls), endpoint(remote, taken)] });
      expect((await relay.logged('bind failed, retrying'))['problem']).to.include(String(process.pid));
      await eventually('TLS', async () => {
        const found = (await relay.status()).endpoints.find(({ name }) => name === 'tls');
        return found?.ready === true && split(found.listen).port > 0;
      });
      expect(relay.stderr).to.equal('');
    });
});
