import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/lib/clock.ts';
import { ConfigWatcher } from '../../../src/relay/config-file/config-watcher.ts';
import { ConfigFileError, readConfig } from '../../../src/relay/config-file/read-config.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';

let folder: string;
let path: string;
const watchers: ConfigWatcher[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-relay-'));
  path = join(folder, 'config.json');
});

afterEach(() => {
  for (const watcher of watchers.splice(0)) watcher.stop();
  rmSync(folder, { recursive: true });
});

type Calls = { readonly texts: string[]; readonly errors: string[] };

async function watch(clock = systemClock): Promise<Calls> {
  const calls: Calls = { texts: [], errors: [] };
  const watcher = new ConfigWatcher(path, await readConfig(path), clock, {
    onChange: ({ texts }) => {
      calls.texts.push(texts.map(({ text }) => text).join('+'));
      return Promise.resolve();
    },
    onError: (error) => calls.errors.push(error.message),
  });
  watchers.push(watcher);
  watcher.start();
  return calls;
}

/** A ConfigMap's folder as kubelet makes it: config.json → ..data/config.json, ..data → ..NAME. */
function mountConfigMap(name: string, text: string): void {
  mkdirSync(join(folder, `..${name}`));
  writeFileSync(join(folder, `..${name}`, 'config.json'), text);
  symlinkSync(`..${name}`, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
}

describe('config file', () => {
  it('is read with the SHA-256 of its bytes', async () => {
    writeFileSync(path, '{}\n');
    expect(await readConfig(path)).to.deep.equal({
      texts: [{ source: path, text: '{}\n' }],
      folders: [folder],
      hash: 'ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356',
    });
  });

  const unreadable = [
    {
      what: 'does not exist',
      make: () => undefined,
      message: /config\.json: there is no such file: check the path$/,
    },
    {
      what: 'is a folder without configuration files',
      make: () => {
        mkdirSync(path);
        writeFileSync(join(path, 'README.md'), '');
        writeFileSync(join(path, '.hidden.json'), '{}');
      },
      message: /config\.json: it holds no \.toml or \.json file: add one$/,
    },
    {
      what: 'is a folder that links to itself',
      make: () => {
        mkdirSync(path);
        symlinkSync('.', join(path, 'again'));
      },
      message: /again: it is a link to one of its own parent folders: remove it$/,
    },
    {
      what: 'is a folder with a link to nothing',
      make: () => {
        mkdirSync(path);
        symlinkSync('nowhere', join(path, 'a.toml'));
      },
      message: /a\.toml: there is no such file: check the path$/,
    },
    {
      what: 'is neither a file nor a folder',
      make: () => {
        symlinkSync('/dev/null', path);
      },
      message: /it is neither a file nor a folder: write it to a file$/,
    },
    {
      what: 'is not text',
      make: () => {
        writeFileSync(path, Buffer.from([0xff, 0xfe]));
      },
      message: /it is not UTF-8 text/,
    },
    {
      what: 'is far too large',
      make: () => {
        writeFileSync(path, Buffer.alloc(5 * 1024 * 1024));
      },
      message: /it is larger than 4194304 bytes/,
    },
  ];
  for (const { what, make, message } of unreadable) {
    it(`is refused if it ${what}`, async () => {
      make();
      const error = await readConfig(path).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(ConfigFileError).with.property('message').that.matches(message);
    });
  }

  it('delivers text that was written, and a file renamed over it', async () => {
    writeFileSync(path, 'one');
    const { texts } = await watch();
    writeFileSync(path, 'two');
    await eventually('two', () => texts.at(-1) === 'two');
    writeFileSync(`${path}.new`, 'three');
    renameSync(`${path}.new`, path);
    await eventually('three', () => texts.at(-1) === 'three');
  });

  it("delivers the new version when a ConfigMap's folder is swapped", async () => {
    mountConfigMap('2026_1', 'one');
    symlinkSync('..data/config.json', path);
    const { texts, errors } = await watch();
    mountConfigMap('2026_2', 'two');
    rmSync(join(folder, '..2026_1'), { recursive: true });
    await eventually('two', () => texts.length > 0);
    expect([texts, errors]).to.deep.equal([['two'], []]);
  });

  it('delivers nothing while the text stays the same', async () => {
    writeFileSync(path, 'one');
    const { texts } = await watch();
    writeFileSync(path, 'one');
    writeFileSync(join(folder, 'neighbour'), 'x');
    writeFileSync(path, 'two');
    await eventually('two', () => texts.length > 0);
    expect(texts).to.deep.equal(['two']);
  });

  it('reports a missing file once, and delivers the one that replaces it', async () => {
    writeFileSync(path, 'one');
    const { texts, errors } = await watch();
    rmSync(path);
    await eventually('the error', () => errors.length > 0);
    writeFileSync(join(folder, 'neighbour'), 'x');
    writeFileSync(`${path}.new`, 'two');
    renameSync(`${path}.new`, path);
    await eventually('two', () => texts.length > 0);
    expect([texts, errors.length]).to.deep.equal([['two'], 1]);
  });

  it('polls every few seconds, for changes that the file system does not report', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'realm-elsewhere-'));
    writeFileSync(join(elsewhere, 'config.json'), 'one');
    symlinkSync(join(elsewhere, 'config.json'), path);
    const clock = new FakeClock();
    const { texts } = await watch(clock);
    writeFileSync(join(elsewhere, 'config.json'), 'two'); // not in the folder that is watched
    await eventually('two', () => {
      clock.advance(5000);
      return texts.length > 0;
    });
    rmSync(elsewhere, { recursive: true });
    expect(texts).to.deep.equal(['two']);
  });

  it('delivers nothing once it is stopped', async () => {
    writeFileSync(path, 'one');
    const clock = new FakeClock();
    const { texts } = await watch(clock);
    watchers[0]?.stop();
    writeFileSync(path, 'two');
    clock.advance(60_000);
    expect(clock.timers).to.equal(0);
    expect(texts).to.deep.equal([]);
  });
});

describe('config folder', () => {
  function put(name: string, text: string): string {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  it('is read as a whole, in the order of names: *.toml and *.json, recursively, through links, without hidden files', async () => {
    const files = [put('a.toml', '1'), put('b/c.json', '2'), put('d.json', '3')];
    for (const left of ['e.yaml', '.f.json', '.g/h.json']) put(left, 'x');
    const elsewhere = mkdtempSync(join(tmpdir(), 'realm-elsewhere-'));
    writeFileSync(join(elsewhere, 'j.toml'), '4');
    symlinkSync(elsewhere, join(folder, 'i'));
    const { texts, folders } = await readConfig(folder);
    rmSync(elsewhere, { recursive: true });
    expect(texts).to.deep.equal(
      [...files, join(folder, 'i/j.toml')].map((source, index) => ({ source, text: String(index + 1) })),
    );
    expect(folders).to.deep.equal([folder, join(folder, 'b'), join(folder, 'i')]);
  });

  it('is read even if its own name begins with a dot', async () => {
    const hidden = put('.hidden/a.toml', '1');
    const { texts } = await readConfig(dirname(hidden));
    expect(texts).to.deep.equal([{ source: hidden, text: '1' }]);
  });

  it('gets another hash when a text or a name of a file changes', async () => {
    const hashes = [];
    for (const change of [() => put('a.toml', '1'), () => put('a.toml', '2'), () => put('b.toml', '2')]) {
      change();
      hashes.push((await readConfig(folder)).hash);
    }
    renameSync(join(folder, 'b.toml'), join(folder, 'c.toml'));
    hashes.push((await readConfig(folder)).hash);
    expect(new Set(hashes).size).to.equal(4);
  });

  it('is watched for changes, new files, new folders, and the swap of a ConfigMap', async () => {
    path = folder;
    put('a.toml', 'a');
    const { texts, errors } = await watch();
    put('b.toml', 'b');
    await eventually('a new file', () => texts.at(-1) === 'a+b');
    put('c/d.json', 'd');
    await eventually('a new folder', () => texts.at(-1) === 'a+b+d');
    put('c/d.json', 'D');
    await eventually('a change in it', () => texts.at(-1) === 'a+b+D');
    mountConfigMap('2026_1', 'one');
    symlinkSync('..data/config.json', join(folder, 'config.json'));
    await eventually('a ConfigMap', () => texts.at(-1) === 'a+b+D+one');
    mountConfigMap('2026_2', 'two');
    await eventually('its swap', () => texts.at(-1) === 'a+b+D+two');
    expect(errors).to.deep.equal([]);
  });
});
