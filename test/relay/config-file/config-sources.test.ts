import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { endpoint, Loopback, received } from '../loopback.ts';
import { RelayProcess, replaceConfig } from '../relay-process.ts';

const loopback = new Loopback();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-sources-'));
});

afterEach(async () => {
  await loopback.closeAll();
  rmSync(folder, { recursive: true });
});

function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): RelayProcess {
  const relay = new RelayProcess(argv, [], env);
  loopback.onClose(() => relay.end());
  return relay;
}

async function greetings(relay: RelayProcess): Promise<string[]> {
  const { endpoints } = await relay.status();
  return Promise.all(endpoints.map(async ({ listen }) => received(await loopback.client(listen))));
}

async function toml(greeting: string): Promise<string> {
  const remote = await loopback.greeter(greeting);
  return `[[endpoints]]\nname = "${greeting}"\nlisten = "127.0.0.1:0"\nremote = "${remote}"\n`;
}

const admin = ['--admin', '127.0.0.1:0'];

describe('relay program, sources of its configuration', () => {
  it('runs every file of a folder, TOML and JSON, and applies a new one', async () => {
    writeFileSync(join(folder, 'a.toml'), await toml('one'));
    const two = endpoint(await loopback.greeter('two'), { name: 'two' });
    writeFileSync(join(folder, 'b.json'), JSON.stringify({ endpoints: [two] }));
    const relay = start(['-c', folder, ...admin]);
    expect(await greetings(relay)).to.deep.equal(['one', 'two']);
    replaceConfig(join(folder, 'c.toml'), await toml('three'));
    await relay.logged('configuration applied');
    expect(await greetings(relay)).to.deep.equal(['one', 'two', 'three']);
  });

  it('reads a folder named "."', async () => {
    writeFileSync(join(folder, 'a.toml'), await toml('one'));
    const relay = new RelayProcess(['-c', '.', ...admin], ['env', '-C', folder]);
    loopback.onClose(() => relay.end());
    expect(await greetings(relay)).to.deep.equal(['one']);
  });

  it('prints the problems of every file of a folder, each with its file, and exits with 1', async () => {
    writeFileSync(join(folder, 'a.toml'), '[[endpoints]]\nlisten = "x"\n');
    writeFileSync(join(folder, 'b.json'), '{');
    const relay = start(['-c', folder]);
    expect(await relay.ended).to.equal(1);
    const sources = relay.stderr
      .trim()
      .split('\n')
      .map((line) => line.slice(folder.length + 1, line.indexOf(': ')));
    expect(sources).to.deep.equal(['a.toml', 'a.toml', 'b.json']);
  });

  it('warns of a legacy file, and runs it', async () => {
    const [remote = '', port = ''] = (await loopback.greeter('hi')).split(':');
    const legacy = {
      listening_addresses: ['127.0.0.1'],
      listening_ports: ['0'],
      remote_addresses: [remote],
      remote_ports: [port],
    };
    writeFileSync(join(folder, 'config'), JSON.stringify(legacy));
    const relay = start(['-c', join(folder, 'config'), ...admin]);
    expect(await greetings(relay)).to.deep.equal(['hi']);
    expect(relay.stderr).to.equal('attention: you are using a legacy config file!\n');
  });

  it('runs REALM_CONF in place of the command line, except for flags that Realm does not have', async () => {
    const relay = start(['--nonsense', '-c', '/nowhere', ...admin], { REALM_CONF: await toml('hi') });
    expect(await greetings(relay)).to.deep.equal(['hi']);
  });

  it('ignores a REALM_CONF that is no configuration, and warns of it', async () => {
    writeFileSync(join(folder, 'a.toml'), await toml('hi'));
    const relay = start(['-c', folder, ...admin], { REALM_CONF: 'nonsense' });
    expect(await greetings(relay)).to.deep.equal(['hi']);
    expect(relay.stderr).to.match(
      /^REALM_CONF: is neither TOML nor JSON; it is ignored and the command line applies: correct line 1/,
    );
  });

  it('exits with 1 for a REALM_CONF that is a wrong configuration', async () => {
    const relay = start(['-h'], { REALM_CONF: '{"endpoints": [{}]}' });
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.equal(
      'REALM_CONF: endpoints[0].listen: is missing: add it\nREALM_CONF: endpoints[0].remote: is missing: add it\n',
    );
  });
});
