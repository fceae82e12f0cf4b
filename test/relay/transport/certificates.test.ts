import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { relaySummary } from '../../../src/relay/admin/summary.ts';
import type { RelayServer } from '../../../src/relay/server.ts';
import { TransportFilesError } from '../../../src/relay/transport/transports.ts';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, failure, listenOf, Loopback, split, statusOf } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';
import { TestPki, type PairFiles } from './pki.ts';

const loopback = new Loopback();
let pki: TestPki;
let first: PairFiles;
let second: PairFiles;
let folder: string;

before(() => {
  pki = new TestPki();
  first = pki.pair('first.example');
  second = pki.pair('second.example');
});
after(() => {
  pki.remove();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-certificates-'));
});
afterEach(async () => {
  await loopback.closeAll();
  rmSync(folder, { recursive: true });
});

/** Puts a pair where a Secret is mounted: in a folder of its own behind the link ..data. */
function mount(name: string, { cert, key }: PairFiles): void {
  mkdirSync(join(folder, name));
  copyFileSync(cert, join(folder, name, 'tls.crt'));
  copyFileSync(key, join(folder, name, 'tls.key'));
  symlinkSync(name, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
}

function linkFiles(): void {
  for (const file of ['tls.crt', 'tls.key']) symlinkSync(join('..data', file), join(folder, file));
}

function words(): string {
  return `tls;cert=${join(folder, 'tls.crt')};key=${join(folder, 'tls.key')}`;
}

async function running(): Promise<{ relay: RelayServer; lines: readonly { msg: string }[] }> {
  return loopback.relay(config(endpoint(await loopback.echo(), { listen_transport: words() })));
}

/** The subject of the certificate that a new client gets. */
async function shown(relay: RelayServer): Promise<string> {
  const socket = connect({
    ...split(listenOf(relay)),
    ca: readFileSync(pki.ca),
    checkServerIdentity: () => undefined,
  });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.subject ?? '';
  } finally {
    socket.destroy();
  }
}

describe('relay, certificate files', () => {
  it('uses a certificate that is swapped in like a Secret for new clients, while connections go on', async () => {
    mount('..1', first);
    linkFiles();
    const { relay } = await running();
    const old = connect({ ...split(listenOf(relay)), ca: readFileSync(pki.ca), servername: 'first.example' });
    loopback.onClose(() => {
      old.destroy();
    });
    await once(old, 'secureConnect');
    mount('..2', second);
    await eventually('the new one', async () => (await shown(relay)) === 'CN=second.example');
    old.write('still here');
    const [answer] = (await once(old, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('still here');
  });

  it('uses new files that are overwritten one after the other', async () => {
    copyFileSync(first.cert, join(folder, 'tls.crt'));
    copyFileSync(first.key, join(folder, 'tls.key'));
    const { relay } = await running();
    expect(await shown(relay)).to.equal('CN=first.example');
    copyFileSync(second.cert, join(folder, 'tls.crt'));
    copyFileSync(second.key, join(folder, 'tls.key'));
    await eventually('the new one', async () => (await shown(relay)) === 'CN=second.example');
    await eventually('no problem', () => statusOf(relay).transportProblem === '');
  });

  it('keeps the old certificate if the new one is not valid, and reports that in log and status', async () => {
    mount('..1', first);
    linkFiles();
    const { relay, lines } = await running();
    mount('..2', { cert: second.cert, key: first.key });
    const problem = await eventually('the problem', () => statusOf(relay).transportProblem || undefined);
    expect(problem).to.match(
      /tls\.key: does not match the certificate in .*tls\.crt: give the key that does$/,
    );
    expect(lines.filter(({ msg }) => msg.startsWith('certificates rejected'))).to.have.length(1);
    expect(statusOf(relay).ready).to.equal(true);
    expect(await shown(relay)).to.equal('CN=first.example');
    mount('..3', second);
    await eventually('the new one', async () => (await shown(relay)) === 'CN=second.example');
    expect(statusOf(relay).transportProblem).to.equal('');
  });

  it('starts without its files, not ready, and serves once they are there', async () => {
    const { relay } = await running();
    expect(statusOf(relay)).to.deep.include({ ready: false });
    expect(statusOf(relay).message).to.match(/tls\.crt: there is no such file: check the path$/);
    expect(await failure(await loopback.client(listenOf(relay)))).to.be.oneOf(['END', 'ECONNRESET']);
    copyFileSync(first.cert, join(folder, 'tls.crt'));
    copyFileSync(first.key, join(folder, 'tls.key'));
    await eventually('ready', () => statusOf(relay).ready);
    expect(await shown(relay)).to.equal('CN=first.example');
  });

  it('rejects a configuration whose files are missing, and keeps the previous one', async () => {
    const remote = await loopback.greeter('plain');
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const listen = listenOf(relay);
    const failed = await relay
      .reload(config(endpoint(remote, { listen_transport: words() })))
      .catch((error: unknown) => error);
    expect(failed).to.be.instanceOf(TransportFilesError);
    expect(relay.status().configProblem).to.match(/endpoint "web": .*tls\.crt: there is no such file/);
    expect(await loopback.greeting(listen)).to.equal('plain');
  });

  it('is ready without files that are optional, refuses the clients of that endpoint alone, and serves them once they are there', async () => {
    const remote = await loopback.greeter('plain');
    const { relay } = await loopback.relay(
      config(
        { name: 'plain', listen: '127.0.0.1:0', remote },
        endpoint(remote, { listen_transport: `${words()};optional` }),
      ),
    );
    expect(relay.status()).to.deep.include({ ready: true, configProblem: '' });
    expect(statusOf(relay)).to.deep.include({ ready: false, required: false });
    const missing = { names: ['web'], message: statusOf(relay).message, served: false };
    expect(relaySummary(relay.status())).to.deep.include({ unready: [], certificates: [missing] });
    expect(missing.message).to.match(/tls\.crt: there is no such file: check the path$/);
    expect(await loopback.greeting(listenOf(relay, 'plain'))).to.equal('plain');
    expect(await failure(await loopback.client(listenOf(relay)))).to.be.oneOf(['END', 'ECONNRESET']);
    mount('..1', first);
    linkFiles();
    await eventually('ready', () => statusOf(relay).ready);
    expect(await shown(relay)).to.equal('CN=first.example');
    expect(relaySummary(relay.status()).certificates).to.deep.equal([]);
    mount('..2', { cert: second.cert, key: first.key });
    await eventually('the problem', () => statusOf(relay).transportProblem !== '');
    expect(relaySummary(relay.status()).certificates).to.deep.equal([
      { names: ['web'], message: statusOf(relay).transportProblem, served: true },
    ]);
    expect(await shown(relay)).to.equal('CN=first.example');
  });

  it('takes a configuration whose missing files are optional', async () => {
    const remote = await loopback.greeter('plain');
    const { relay } = await loopback.relay(config({ name: 'plain', listen: '127.0.0.1:0', remote }));
    await relay.reload(config(endpoint(remote, { listen_transport: `${words()};optional` })));
    expect(relay.status()).to.deep.include({ ready: true, configProblem: '' });
    copyFileSync(first.cert, join(folder, 'tls.crt'));
    copyFileSync(first.key, join(folder, 'tls.key'));
    await eventually('ready', () => statusOf(relay).ready);
    expect(await shown(relay)).to.equal('CN=first.example');
  });

  const broken = [
    {
      what: 'no certificate',
      cert: 'x',
      key: '',
      problem: /tls\.crt: holds no certificate: write one in PEM or DER/,
    },
    {
      what: 'no key',
      cert: undefined,
      key: 'x',
      problem: /tls\.key: holds no private key: .*without a passphrase/,
    },
  ];
  for (const { what, cert, key, problem } of broken) {
    it(`reports a file that holds ${what}`, async () => {
      writeFileSync(join(folder, 'tls.crt'), cert ?? readFileSync(first.cert));
      writeFileSync(join(folder, 'tls.key'), key);
      const { relay } = await running();
      expect(statusOf(relay).message).to.match(problem);
    });
  }
});

describe('relay program, certificate files', () => {
  it('--check reports files that cannot be used', async () => {
    const relay = new RelayProcess(['--check', '-l', '127.0.0.1:1', '-r', 'a:1', '-a', words()]);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.match(
      /^endpoint "127\.0\.0\.1:1": .*tls\.crt: there is no such file: check the path\n$/m,
    );
  });

  it('accepts a rejected configuration once the files that it names are there', async () => {
    const file = join(folder, 'relay.json');
    const remote = await loopback.greeter('hello');
    const write = (fields: object): void => {
      writeFileSync(`${file}.new`, JSON.stringify({ endpoints: [endpoint(remote, fields)] }));
      renameSync(`${file}.new`, file);
    };
    write({});
    const relay = new RelayProcess(['-c', file, '--admin', '127.0.0.1:0']);
    loopback.onClose(() => relay.end());
    await relay.logged('relay started');
    write({ listen_transport: words() });
    await relay.logged('configuration rejected, keeping the previous one');
    copyFileSync(first.cert, join(folder, 'tls.crt'));
    copyFileSync(first.key, join(folder, 'tls.key'));
    await relay.logged('configuration applied');
    expect((await relay.status()).endpoints[0]?.transport).to.equal('[tls][plain]||[plain]');
  });

  it('relays by -a and -b', async () => {
    mount('..1', first);
    linkFiles();
    const behind = await loopback.relay(
      config(endpoint(await loopback.greeter('hello'), { listen_transport: words() })),
    );
    const flags = ['-l', '127.0.0.1:0', '-r', listenOf(behind.relay), '--admin', '127.0.0.1:0'];
    const towards = `tls;sni=first.example;ca=${pki.ca}`;
    const relay = new RelayProcess([...flags, '-a', 'ws;host=h;path=/', '-b', towards]);
    loopback.onClose(() => relay.end());
    const client = new RelayProcess([
      ...['-l', '127.0.0.1:0', '-r', String((await relay.status()).endpoints[0]?.listen)],
      ...['--admin', '127.0.0.1:0', '-b', 'ws;host=h;path=/'],
    ]);
    loopback.onClose(() => client.end());
    expect(await loopback.greeting(String((await client.status()).endpoints[0]?.listen))).to.equal('hello');
  });
});
