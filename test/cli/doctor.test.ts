import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { freePort } from '../support/free-port.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';
import { runCli, startCli } from './cli.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function manifest(...endpoints: Parameters<typeof endpoint>[0][]): string {
  const path = join(folder, 'web.json');
  writeFileSync(path, JSON.stringify({ ...realmRelay(endpoints.map(endpoint)), metadata: { name: 'web' } }));
  return path;
}

const remotes = [{ address: '127.0.0.1', port: 1 }];

describe('realm-operator doctor', () => {
  it('checks families, limits, the engine and DNS of this machine', async () => {
    const { stdout } = await runCli(['doctor', '--admin', `127.0.0.1:${String(await freePort())}`]);
    for (const subject of ['version', 'IPv4', 'IPv6', 'engine', 'open files', 'DNS', 'TCP 127.0.0.1:'])
      expect(stdout).to.match(new RegExp(`^(ok|warning|problem) +${subject}`, 'm'));
    expect(stdout).to.match(/\d+ problems?, \d+ warnings?, \d+ ok\n$/);
  });

  it('says that the ports of manifests can be bound', async () => {
    const port = await freePort();
    const path = manifest({ port, address: '127.0.0.1', network: { udp: true }, remotes });
    const { stdout } = await runCli(['doctor', path, '--admin', 'off']);
    expect(stdout)
      .to.contain(`ok        TCP 127.0.0.1:${String(port)}: can be bound\n`)
      .and.to.contain(`ok        UDP 127.0.0.1:${String(port)}: can be bound\n`);
  });

  it('names who holds a port of TCP and one of UDP, and that of the admin server', async () => {
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    const udp = createSocket('udp4').bind(port, '127.0.0.1');
    await once(udp, 'listening');
    try {
      const path = manifest({ port, address: '127.0.0.1', network: { udp: true }, remotes });
      const { code, stdout } = await runCli(['doctor', path, '--admin', `127.0.0.1:${String(port)}`]);
      expect(code).to.equal(1);
      for (const subject of ['TCP', 'UDP'])
        expect(stdout).to.match(
          new RegExp(
            `problem +${subject} 127.0.0.1:${String(port)}: is in use by .+ \\(process ${String(process.pid)}\\): end it, or choose another port`,
          ),
        );
      expect(stdout)
        .to.contain('of the admin server: is in use by')
        .and.to.contain('choose another address with --admin');
    } finally {
      tcp.close();
      udp.close();
    }
  });

  it('reports an address that the machine does not have, and a remote without addresses, as JSON', async () => {
    const path = manifest({
      address: '192.0.2.1',
      port: 1025,
      remotes: [{ address: 'nothing.invalid', port: 1 }],
    });
    const { code, stdout } = await runCli(['doctor', path, '--admin', 'off', '--json']);
    expect(code).to.equal(1);
    const { checks } = JSON.parse(stdout) as {
      checks: { subject: string; severity: string; remedy?: string }[];
    };
    const found = checks.filter(({ severity }) => severity === 'problem').map(({ subject }) => subject);
    expect(found).to.include.members(['TCP 192.0.2.1:1025', 'DNS nothing.invalid']);
    expect(checks.every(({ severity, remedy }) => severity === 'ok' || remedy !== undefined)).to.equal(true);
  });

  it('reports manifests that are not valid', async () => {
    const { code, stdout, stderr } = await runCli(['doctor', manifest({ port: 0 })]);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.contain('spec.endpoints[0].listen.port');
  });
});

describe('realm-operator doctor, usage', () => {
  for (const admin of ['nope', '127.0.0.1:x', ''])
    it(`refuses --admin "${admin}"`, async () => {
      const { code, stdout, stderr } = await runCli(['doctor', '--admin', admin]);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.match(
        /^realm-operator doctor: --admin: has no (?:valid )?port, got ".*": .*, or off\n/,
      );
    });
});

describe('realm-operator top', () => {
  it('shows the endpoints of a relay, and then their rates', async () => {
    const backend = createServer((socket) => socket.end('x'.repeat(1000))).listen(0, '127.0.0.1');
    await once(backend, 'listening');
    const [port, admin] = [await freePort(), `127.0.0.1:${String(await freePort())}`];
    const to = [{ address: '127.0.0.1', port: (backend.address() as AddressInfo).port }];
    const relay = startCli([
      'standalone',
      manifest({ port, address: '127.0.0.1', remotes: to }),
      '--admin',
      admin,
    ]);
    const top = startCli(['top', '--admin', admin, '--interval', '1']);
    try {
      await relay.shown('Try:');
      const line = `${admin} +web/https +127.0.0.1:${String(port)} +ready +0 +0 +0 +0 +0`;
      const once_ = await runCli(['top', '--once', '--admin', admin]);
      expect(once_.stdout).to.match(new RegExp(`^RELAY +ENDPOINT .*IN/s +OUT/s\n${line} +- +-\n$`));
      await top.shown('web/https');
      expect(await text(connect({ host: '127.0.0.1', port }))).to.have.length(1000);
      await top.shown(' B\n');
      expect(top.stdout()).to.contain('\u001b[H\u001b[J');
      expect(await top.end()).to.equal(0);
    } finally {
      await top.end();
      await relay.end();
      backend.close();
    }
  });

  it('ends with exit code 1 if no relay answers once, and 2 for names without a cluster', async () => {
    const silent = await runCli(['top', '--once', '--admin', `127.0.0.1:${String(await freePort())}`]);
    expect(silent).to.have.property('code', 1);
    expect(silent.stdout).to.contain('NO ANSWER');
    const named = await runCli(['top', 'web']);
    expect(named).to.have.property('code', 2);
    expect(named.stderr).to.contain('add --cluster');
  });

  const wrong = [
    { admin: 'nope', says: 'has no port, got "nope": write IPV4:PORT, [IPV6]:PORT or HOST:PORT' },
    { admin: '9465', says: 'has no port, got "9465"' },
    { admin: '::1', says: 'has neither an IP address nor a host name, got "::1"' },
    { admin: '127.0.0.1:0', says: 'has no port to dial, got "127.0.0.1:0": use a port from 1 to 65535' },
    { admin: '127.0.0.1:99999', says: 'has no valid port, got "127.0.0.1:99999"' },
    { admin: 'off', says: 'has no port, got "off"' },
    { admin: '', says: 'has no port, got ""' },
    {
      admin: 'https://127.0.0.1:9465',
      says: 'is no URL of HTTP, got "https://127.0.0.1:9465": write ADDRESS:PORT',
    },
    { admin: 'http://127.0.0.1:x', says: 'is no URL of HTTP, got "http://127.0.0.1:x"' },
  ];
  for (const { admin, says } of wrong)
    it(`refuses --admin "${admin}", and names the remedy`, async () => {
      const { code, stdout, stderr } = await runCli(['top', '--once', '--admin', admin]);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.contain(`realm-operator top: --admin: ${says}`);
    });

  it('takes the URL of an admin server, with a slash at its end', async () => {
    const port = await freePort();
    const { code, stdout } = await runCli(['top', '--once', '--admin', `http://127.0.0.1:${String(port)}/`]);
    expect(code).to.equal(1);
    expect(stdout)
      .to.contain(`127.0.0.1:${String(port)} `)
      .and.to.contain('NO ANSWER');
  });
});
