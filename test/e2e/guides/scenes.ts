import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { runOrThrow } from '../../cluster/run.ts';
import { eventually } from '../../support/eventually.ts';
import type { Guide } from './guide.ts';
import { startPostfix } from './postfix.ts';
import { failOver, startPostgres } from './postgres.ts';
import { upgradeScene } from './upgrade.ts';
import { type Servers, startWebServers } from './servers.ts';

/** What a page assumes to exist: the servers that its relays lead to, at the addresses that it shows. */
export type Scene = {
  /** Debian packages that may be missing, and the shell command that succeeds if one is installed. */
  readonly needs: Readonly<Record<string, string>>;
  /** Starts the servers; `folder` is the reader's. */
  readonly start: (servers: Servers, folder: string) => Promise<void>;
  /** Variables of the reader's shell, once the servers run. */
  readonly variables?: (servers: Servers) => Readonly<Record<string, string>>;
  /** What the commands get from elsewhere, and what the test has in its place. */
  readonly substitutes?: Readonly<Record<string, string>>;
  /** What happens where the page has `<!-- test: NAME -->`. */
  readonly events?: Readonly<Record<string, (servers: Servers, guide: Guide) => Promise<void>>>;
};

/** The scenes by the path of their page. */
export const scenes: Readonly<Record<string, Scene>> = {
  'docs/how-to/postgresql.md': {
    needs: { postgresql: 'command -v psql && ls /usr/lib/postgresql/*/bin/initdb' },
    start: startPostgres,
    events: { 'the primary fails and the standby is promoted': failOver },
  },
  'docs/how-to/redis.md': {
    needs: { redis: 'command -v redis-server && command -v redis-cli' },
    start: async (servers) => {
      await servers.own('192.0.2.20/32');
      servers.start('redis', [
        'redis-server',
        '--bind',
        '192.0.2.20',
        '--protected-mode',
        'no',
        '--save',
        '',
      ]);
    },
  },
  'docs/how-to/dns.md': {
    needs: { 'bind9-dnsutils': 'command -v dig', 'dnsmasq-base': 'command -v dnsmasq' },
    start: startDns,
  },
  'docs/how-to/ssh.md': { needs: { ssh: 'command -v ssh && command -v /usr/sbin/sshd' }, start: startSsh },
  'docs/how-to/smtp.md': {
    needs: {
      postfix: 'command -v postfix',
      swaks: 'command -v swaks',
      'libio-socket-inet6-perl': 'perl -MIO::Socket::INET6 -e 1',
    },
    start: startPostfix,
    events: {
      'Postfix has logged the addresses of the client': async (servers) => {
        for (const address of ['172.31.0.1', 'fd00:172:31::1']) {
          await eventually(`Postfix logs ${address}`, () =>
            servers.output('postfix').includes(`[${address}]`),
          );
        }
      },
    },
  },
  'docs/how-to/wireguard.md': {
    needs: {
      'wireguard-tools': 'command -v wg',
      'wireguard-go': 'command -v wireguard-go && test -e /dev/net/tun',
    },
    start: startWireGuard,
  },
  'docs/how-to/rtp.md': {
    needs: {
      'gstreamer1.0-tools': 'command -v gst-launch-1.0',
      'gstreamer1.0-plugins-base': 'gst-inspect-1.0 audiotestsrc',
      'gstreamer1.0-plugins-good': 'gst-inspect-1.0 rtppcmupay',
    },
    start: startRtp,
    events: { 'RTP packets have arrived at both ports': expectRtp },
  },
  'docs/how-to/tls.md': { needs: { openssl: 'command -v openssl' }, start: startWeb },
  'docs/upgrade.md': upgradeScene,
  'docs/how-to/families.md': { needs: {}, start: startWeb },
};

async function startWeb(servers: Servers): Promise<void> {
  await servers.own('192.0.2.80/32', '2001:db8::80/128');
  startWebServers(servers, ['192.0.2.80', '2001:db8::80']);
}

async function startDns(servers: Servers): Promise<void> {
  await servers.own('192.0.2.53/32', '2001:db8::53/128');
  const listen = ['192.0.2.53', '2001:db8::53'].map((address) => `--listen-address=${address}`);
  const flags = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--bind-interfaces',
  ];
  const zone = ['--address=/app.example/192.0.2.80', '--user=root', '--pid-file='];
  servers.start('dnsmasq', ['dnsmasq', ...flags, ...listen, ...zone]);
}

async function startSsh(servers: Servers, folder: string): Promise<void> {
  await servers.own('192.0.2.22/32');
  mkdirSync('/run/sshd', { recursive: true }); // compiled into sshd
  const [hostKey, userKey] = [join(servers.folder, 'host'), join(folder, 'id_ed25519')];
  for (const key of [hostKey, userKey])
    await runOrThrow(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  copyFileSync(`${userKey}.pub`, join(servers.folder, 'authorized_keys'));
  const config = [
    'ListenAddress 192.0.2.22',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(servers.folder, 'authorized_keys')}`,
    'StrictModes no',
    'UsePAM no',
    `AllowUsers ${userInfo().username}`,
    `PidFile ${join(servers.folder, 'sshd.pid')}`,
  ];
  servers.start('sshd', [
    '/usr/sbin/sshd',
    '-D',
    '-e',
    '-f',
    servers.write('sshd_config', `${config.join('\n')}\n`),
  ]);
}

/** WireGuard in user space: the server `wgserver`, and the reader's interface `wg0`. */
async function startWireGuard(servers: Servers, folder: string): Promise<void> {
  await servers.own('192.0.2.51/32');
  for (const name of ['wgserver', 'wg0']) {
    servers.write(`${name}.key`, await runOrThrow(['wg', 'genkey']), 0o600);
    const key = readFileSync(join(servers.folder, `${name}.key`), 'utf8');
    servers.write(`${name}.pub`, await runOrThrow(['wg', 'pubkey'], { stdin: key }));
    servers.start(name, ['env', 'WG_PROCESS_FOREGROUND=1', 'wireguard-go', name]);
    const set = ['wg', 'set', name, 'private-key', join(servers.folder, `${name}.key`)] as const;
    await eventually(`${name} configured`, async () => (await runOrThrow(set)) === '');
  }
  const client = readFileSync(join(servers.folder, 'wg0.pub'), 'utf8').trim();
  const peer = ['peer', client, 'allowed-ips', '10.77.0.2/32'];
  await runOrThrow(['wg', 'set', 'wgserver', 'listen-port', '51820', ...peer]);
  for (const name of ['wgserver', 'wg0']) await runOrThrow(['ip', 'link', 'set', name, 'up']);
  writeFileSync(join(folder, 'server.pub'), readFileSync(join(servers.folder, 'wgserver.pub')));
}

const rtpPorts = ['16386', '16388'];

async function startRtp(servers: Servers): Promise<void> {
  await servers.own('192.0.2.60/32');
  for (const port of rtpPorts) {
    const source = ['udpsrc', 'address=192.0.2.60', `port=${port}`];
    const sink = ['filesink', 'buffer-mode=unbuffered', `location=${join(servers.folder, port)}`];
    servers.start(`rtp-${port}`, ['gst-launch-1.0', '-q', ...source, '!', ...sink]);
  }
}

/** Each file begins with the header of RTP, version 2, payload type 0 (RFC 3550, section 5.1; RFC 3551, section 6). */
async function expectRtp(servers: Servers): Promise<void> {
  for (const port of rtpPorts) {
    const file = join(servers.folder, port);
    const [version, type] = await eventually(`packets at port ${port}`, () => {
      return existsSync(file) && statSync(file).size > 0 && readFileSync(file).subarray(0, 2);
    });
    const isRtp = version === 0x80 && ((type ?? 0xff) & 0x7f) === 0;
    if (!isRtp) throw new Error(`port ${port} received ${String(version)} ${String(type)}, which is no RTP`);
  }
}
