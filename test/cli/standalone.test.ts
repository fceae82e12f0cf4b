import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  readFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { eventually } from '../support/eventually.ts';
import { freePort, freePorts } from '../support/free-port.ts';
import { secretsFolder } from '../../src/desired/transports.ts';
import { TestPki } from '../relay/transport/pki.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';
import { startCli, type RunningCli } from './cli.ts';

let folder: string;
let port: number;
const backends: Server[] = [];
const running: RunningCli[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  port = await freePort();
});

afterEach(async () => {
  for (const cli of running.splice(0)) await cli.end();
  for (const backend of backends.splice(0)) await once(backend.close(), 'close');
  rmSync(folder, { recursive: true });
});

/** A remote that greets with `greeting` and hangs up. */
async function backend(greeting: string): Promise<EndpointSpec['remotes']> {
  const server = createServer((socket) => socket.end(greeting)).listen(0, '127.0.0.1');
  backends.push(server);
  await once(server, 'listening');
  return [{ address: '127.0.0.1', port: (server.address() as AddressInfo).port }];
}

function write(
  file: string,
  endpoints: EndpointSpec[],
  spec: Partial<RealmRelaySpec> = {},
  name = 'web',
): void {
  const manifest = { ...realmRelay(endpoints, spec), metadata: { name } };
  writeFileSync(join(folder, '.new'), dump(manifest, { noRefs: true }));
  renameSync(join(folder, '.new'), join(folder, file)); // as editors and pipelines do: all at once
}

function start(...argv: string[]): RunningCli {
  const cli = startCli(['standalone', '-f', folder, '--admin', '127.0.0.1:0', ...argv]);
  running.push(cli);
  return cli;
}

async function greeting(host: string): Promise<string> {
  return text(connect({ host, port }));
}

/** The side-by-side pair on `port`. */
function pair(v6: EndpointSpec['remotes'], v4: EndpointSpec['remotes']): EndpointSpec[] {
  return [
    endpoint({ name: 'v6', address: '::', port, network: { ipv6Only: true }, remotes: v6 }),
    endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: v4 }),
  ];
}

describe('realm-operator standalone', () => {
  it('relays IPv4 and IPv6 on one port to different remotes, and shows what runs', async () => {
    write('web.yaml', pair(await backend('six'), await backend('four')));
    const cli = start();
    await cli.shown('Try:');
    expect([await greeting('127.0.0.1'), await greeting('::1')]).to.deep.equal(['four', 'six']);
    expect(cli.stdout()).to.match(new RegExp(`web/v6 +\\[::\\]:${String(port)} +IPv6 +TCP +127.* +ready`));
    expect(cli.stdout())
      .to.contain(`curl -4 'http://127.0.0.1:${String(port)}/'`)
      .and.to.contain(`curl -6 'http://[::1]:${String(port)}/'`);
    expect(await cli.end()).to.equal(0);
  });

  it('relays a range of ports, to the same port of the remote, or all to one', async () => {
    port = await freePorts(4);
    const [same = { address: '', port: 0 }] = await backend('same');
    const [first = same] = await backend('first');
    const ranges = [
      endpoint({ name: 'fixed', port, endPort: port + 1, remotes: [{ ...same, fixedPort: true }] }),
      endpoint({
        name: 'shifted',
        address: '127.0.0.2',
        port: port + 2,
        endPort: port + 3,
        remotes: [first],
      }),
    ];
    write('web.yaml', ranges);
    const cli = start();
    await cli.shown('Try:');
    const greetings = [0, 1].map((offset) => text(connect({ host: '::1', port: port + offset })));
    expect(await Promise.all(greetings)).to.deep.equal(['same', 'same']);
    expect(await text(connect({ host: '127.0.0.2', port: port + 2 }))).to.equal('first');
    expect(cli.stdout())
      .to.match(
        new RegExp(
          `web/fixed +\\[::\\]:${String(port)}-${String(port + 1)} .* 127.0.0.1:${String(same.port)} +ready`,
        ),
      )
      .and.to.contain(`127.0.0.1:${String(first.port)}-${String(first.port + 1)}`)
      .and.to.contain(`curl -4 'http://127.0.0.1:${String(port)}/'`);
    expect(await cli.end()).to.equal(0);
  });

  it('follows a change of the file', async () => {
    write('web.yaml', pair(await backend('six'), await backend('four')));
    const cli = start();
    await cli.shown('Try:');
    write('web.yaml', pair(await backend('new six'), await backend('new four')));
    await eventually('the new remote', async () => (await greeting('127.0.0.1')) === 'new four');
    expect(await greeting('::1')).to.equal('new six');
  });

  it('reports a change that is not valid, and runs on', async () => {
    write('web.yaml', pair(await backend('six'), await backend('four')));
    const cli = start();
    await cli.shown('Try:');
    write('web.yaml', pair([{ address: '300.1.1.1', port: 1 }], await backend('new four')));
    await cli.reported('the previous manifests keep running');
    expect(cli.stderr()).to.contain('spec.endpoints[0].remotes[0].address');
    expect(await greeting('127.0.0.1')).to.equal('four');
  });

  it('takes a second file, and does without one that is gone', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('four') })]);
    const cli = start();
    await cli.shown('Try:');
    write(
      'more.yaml',
      [endpoint({ name: 'v6', address: '::1', port, remotes: await backend('six') })],
      {},
      'more',
    );
    await eventually('the second relay', async () => (await greeting('::1')) === 'six');
    rmSync(join(folder, 'more.yaml'));
    await eventually('the end of the second relay', () =>
      greeting('::1').then(
        () => false,
        () => true,
      ),
    );
    expect(await greeting('127.0.0.1')).to.equal('four');
  });

  it('does not run a relay that is paused or wanted zero times', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('four') })]);
    write('paused.yaml', [endpoint({ address: '::1', port })], { paused: true }, 'paused');
    write('none.yaml', [endpoint({ address: '::1', port })], { replicas: 0 }, 'none');
    const cli = start();
    await cli.shown('Try:');
    expect(cli.stdout()).not.to.match(/paused|none/);
  });

  it('reports where it looks for what Secrets hold in a cluster, and does not serve without', async () => {
    const listenTransport = { tls: { secretName: 'web-tls', clientCASecretName: 'web-tls' } };
    const plain = endpoint({ name: 'plain', port: await freePort(), remotes: await backend('plain') });
    write('web.yaml', [endpoint({ port, listenTransport }), plain]);
    const cli = start();
    await cli.shown('there is no such file');
    expect(cli.stderr()).to.contain(
      'web.yaml:4:9: warning: metadata.name: there is no Secret "web-tls" without a cluster: put ca.crt, tls.crt, tls.key into /etc/realm-secrets/web-tls\n',
    );
    expect(cli.stdout()).to.match(/web-tls\/tls\.crt: there is no such file/);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip; // only root may write where the Secrets are looked for
  asRoot('takes a change whose Secret was missing as soon as its files are there', async () => {
    const secretName = `standalone-${randomUUID()}`;
    const secret = join(secretsFolder, secretName);
    const pki = new TestPki();
    try {
      write('web.yaml', [endpoint({ name: 'plain', port, remotes: await backend('plain') })]);
      const cli = start();
      await cli.shown('Try:');
      const listenTransport = { tls: { secretName } };
      write('web.yaml', [endpoint({ name: 'safe', port, listenTransport, remotes: await backend('safe') })]);
      await cli.reported('The change was rejected');
      expect(await greeting('127.0.0.1')).to.equal('plain');
      mkdirSync(`${secret}.new`, { recursive: true });
      const { cert, key } = pki.pair('web.example');
      cpSync(cert, join(`${secret}.new`, 'tls.crt'));
      cpSync(key, join(`${secret}.new`, 'tls.key'));
      renameSync(`${secret}.new`, secret); // both at once, as kubelet does
      writeFileSync(join(folder, 'look'), ''); // so that it looks now, and not after seconds
      await cli.shown('web/safe');
      expect(cli.stderr().match(/there is no such file/g)).to.have.length(1);
    } finally {
      pki.remove();
      rmSync(secret, { recursive: true, force: true });
      if (existsSync(secretsFolder) && readdirSync(secretsFolder).length === 0) rmdirSync(secretsFolder);
    }
  });

  it('refuses two manifests of one name', async () => {
    write('a.yaml', [endpoint({ port })]);
    write('b.yaml', [endpoint({ port: port + 1 })]);
    const cli = start();
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.contain('b.yaml').and.to.contain('rename one of them');
  });

  it('refuses a port conflict between two relays, since they share this machine', async () => {
    write('a.yaml', [endpoint({ name: 'v6', port })], {}, 'a');
    write('b.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port })], {}, 'b');
    const cli = start();
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.contain('set ipv6Only: true on "a/v6"');
  });

  it('refuses a circle over two relays, since they share this machine', async () => {
    const other = port + 1;
    write(
      'a.yaml',
      [endpoint({ name: 'a', port, remotes: [{ address: '127.0.0.1', port: other }] })],
      {},
      'a',
    );
    write('b.yaml', [endpoint({ name: 'b', port: other, remotes: [{ address: '::1', port }] })], {}, 'b');
    const cli = start();
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.contain('endpoints "a/a", "b/b" relay TCP in a circle');
  });

  it('ends with the reason if nothing could be bound', async () => {
    const taken = createServer().listen(port, '127.0.0.1');
    backends.push(taken);
    await once(taken, 'listening');
    write('web.yaml', [endpoint({ name: 'v4', address: '127.0.0.1', port })]);
    const cli = start();
    expect(await cli.ended).to.equal(1);
    expect(cli.stdout()).to.contain('NOT READY').and.to.contain('address in use');
  });

  it('hands its ports to a new process at SIGUSR2', async () => {
    write('web.yaml', [endpoint({ port, remotes: await backend('hello') })]);
    const program = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
    const child = spawn(process.execPath, [program, 'standalone', '-f', folder, '--admin', '127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let successor = 0;
    try {
      await eventually('it serves', async () => (await greeting('127.0.0.1').catch(() => '')) === 'hello');
      let log = '';
      child.stderr.on('data', (part: Buffer) => (log += part.toString()));
      child.kill('SIGUSR2');
      await once(child, 'exit');
      successor = Number(/"successor":([0-9]+)/.exec(log)?.[1]);
      expect(await greeting('127.0.0.1')).to.equal('hello');
      expect(child.exitCode).to.equal(0);
    } finally {
      child.kill('SIGKILL');
      if (successor > 0) process.kill(successor, 'SIGKILL');
    }
  });

  it('reads standard input once, beside files that it follows', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('four') })]);
    const piped = realmRelay([endpoint({ name: 'v6', address: '::1', port, remotes: await backend('six') })]);
    const cli = startCli(
      ['standalone', folder, '-', '--admin', '127.0.0.1:0'],
      JSON.stringify({ ...piped, metadata: { name: 'piped' } }),
    );
    running.push(cli);
    await cli.shown('Try:');
    expect(await greeting('::1')).to.equal('six');
    write('web.yaml', [
      endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('new four') }),
    ]);
    await eventually('the new remote', async () => (await greeting('127.0.0.1')) === 'new four');
    expect(await greeting('::1')).to.equal('six');
  });

  it('starts no new process at SIGUSR2 that would miss standard input', async () => {
    const piped = realmRelay([endpoint({ port, remotes: await backend('piped') })]);
    const log = join(folder, 'log');
    const cli = startCli(
      ['standalone', '-', '--admin', '127.0.0.1:0', '--log-output', log],
      JSON.stringify(piped),
    );
    running.push(cli);
    await cli.shown('Try:');
    cli.signal('SIGUSR2');
    await eventually('the reason', () =>
      readFileSync(log, 'utf8').includes('cannot read standard input again: give files'),
    );
    expect(await greeting('127.0.0.1')).to.equal('piped');
  });

  it('follows folders that are made inside, with -R, and skips objects of other kinds', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('four') })]);
    writeFileSync(join(folder, 'service.yaml'), 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\n');
    const cli = start('-R');
    await cli.shown('Try:');
    expect(cli.stderr()).to.contain('1 object of another kind skipped');
    mkdirSync(join(folder, 'more'));
    write(
      'more/six.yaml',
      [endpoint({ name: 'v6', address: '::1', port, remotes: await backend('six') })],
      {},
      'six',
    );
    await eventually('the relay of the new folder', () =>
      greeting('::1').then(
        (text) => text === 'six',
        () => false,
      ),
    );
  });

  it('shows nothing but problems with -q', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port, remotes: await backend('four') })]);
    const cli = start('-q');
    await eventually('the relay', () =>
      greeting('127.0.0.1').then(
        (text) => text === 'four',
        () => false,
      ),
    );
    expect(cli.stdout()).to.equal('');
  });

  it('prints problems in the format of -o', async () => {
    write('web.yaml', [endpoint({ port: 70_000 })]);
    const cli = start('-o', 'github');
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.match(/^::error file=.*web[.]yaml,line=\d+,col=\d+,title=realm-operator::spec/);
  });

  it('names who has the admin port, and the remedy, before it listens anywhere', async () => {
    write('web.yaml', [endpoint({ name: 'v4', address: '0.0.0.0', port })]);
    const taken = createServer().listen(0, '127.0.0.1');
    backends.push(taken);
    await once(taken, 'listening');
    const admin = String((taken.address() as AddressInfo).port);
    const cli = startCli(['standalone', folder, '--admin', `127.0.0.1:${admin}`]);
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.contain(
      `(process ${String(process.pid)}) does: end that one, or choose another address with --admin ADDRESS:PORT, or --admin off`,
    );
    expect(cli.stderr())
      .to.contain(`cannot listen on 127.0.0.1:${admin}, since `)
      .and.to.not.contain('listening');
  });

  it('asks for manifests', async () => {
    const cli = startCli(['standalone']);
    expect(await cli.ended).to.equal(2);
    expect(cli.stderr()).to.contain('give the manifests with -f');
  });
});
