import { EventEmitter } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { parse, stringify } from 'smol-toml';
import { commandLineConfig, variableConfig } from '../../../src/relay/command-line/initial-config.ts';
import { parseFlags } from '../../../src/relay/command-line/flags.ts';
import { runRelay } from '../../../src/relay/main.ts';
import { describeRustRealm, RustRealm } from '../../support/rust-realm.ts';
import { TestPki, type PairFiles } from '../transport/pki.ts';
import { dnsHere, dnsOfRealm, understoodByRealm, understoodHere } from './understood.ts';

/** The program's outside: files below the test's folder, the command line, and REALM_CONF; `@` is that folder, `@cert` and `@key` a certificate and its key. */
type Outside = {
  readonly why: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly argv?: readonly string[];
  readonly variable?: string;
};

const plain = { listen: '127.0.0.1:0', remote: 'a.example:80' };
const server = 'tls;cert=@cert;key=@key';
const client = 'ws;host=b.example;path=/x;tls;sni=b.example;insecure';

const everyKey = {
  log: { level: 'debug', output: 'stderr' },
  dns: {
    mode: 'ipv4_then_ipv6',
    protocol: 'tcp',
    nameservers: ['127.0.0.1:53', '[::1]:5353'],
    min_ttl: 1,
    max_ttl: 2,
    cache_size: 3,
  },
  network: {
    use_udp: true,
    tcp_timeout: 6,
    udp_timeout: 0,
    tcp_keepalive: 16,
    tcp_keepalive_probe: 4,
    send_proxy: true,
  },
  endpoints: [
    { ...plain, extra_remotes: ['192.0.2.1:81', '[2001:db8::1]:82'], balance: 'roundrobin: 4, 2,1' },
    { ...plain, through: '127.0.0.1', listen_transport: server, remote_transport: client },
    {
      ...plain,
      listen: '[::1]:0',
      network: {
        ipv6_only: true,
        no_tcp: true,
        tcp_timeout: 7,
        tcp_keepalive: 0,
        send_proxy: false,
        send_proxy_version: 1,
        accept_proxy: true,
        accept_proxy_timeout: 8,
        send_mptcp: true,
      },
    },
  ],
};
const legacy = {
  listening_addresses: ['127.0.0.1', '127.0.0.2'],
  listening_ports: ['10-12', '20'],
  remote_addresses: ['a.example', '192.0.2.1', 'b.example'],
  remote_ports: ['30', '40-41'],
};
/** The same on ports that the system chooses. */
const unbound = { ...legacy, listening_ports: ['0-0', '0', '0', '0'] };
const oneEndpoint = JSON.stringify({ network: { tcp_timeout: 6 }, endpoints: [plain] });
const everyFlag = [
  ...['--log-level', 'TRACE', '--log-output', 'stderr', '--tcp-timeout', '8', '--udp-timeout=9'],
  ...['--send-proxy', 'true', '--send-proxy-version', '1', '--accept-proxy=true'],
  ...[
    '--accept-proxy-timeout',
    '3',
    '--dns-mode',
    'IPV6_ONLY',
    '--dns-protocol',
    'udp',
    '--dns-min-ttl',
    '4',
  ],
  ...['--dns-max-ttl', '5', '--dns-cache-size', '6', '--dns-servers', '127.0.0.1:1,[::1]:2'],
];

const outsides: readonly Outside[] = [
  { why: 'every key in JSON', files: { 'a.json': JSON.stringify(everyKey) }, argv: ['-c', '@/a.json'] },
  { why: 'every key in TOML', files: { 'a.toml': stringify(everyKey) }, argv: ['-c', '@/a.toml'] },
  { why: 'TOML called JSON', files: { 'a.json': stringify(everyKey) }, argv: ['-c', '@/a.json'] },
  { why: 'a legacy file', files: { a: JSON.stringify(unbound) }, argv: ['-c', '@/a'] },
  {
    why: 'keys that are null',
    files: { a: JSON.stringify({ endpoints: [{ ...plain, through: null, network: { use_udp: null } }] }) },
    argv: ['-c', '@/a'],
  },
  {
    why: 'unknown keys',
    files: { a: JSON.stringify({ endpoints: [{ ...plain, network: { zero_copy: true, x: [] } }], y: 1 }) },
    argv: ['-c', '@/a'],
  },
  {
    why: 'a folder, of which one file says what holds for all',
    files: {
      'conf/a.toml': stringify({ endpoints: [{ ...plain, remote: 'b.example:1' }] }),
      'conf/more/b.json': oneEndpoint,
      'conf/.hidden.toml': 'nonsense',
      'conf/readme.txt': 'nonsense',
    },
    argv: ['-c', '@/conf'],
  },
  {
    why: 'flags above every key of a file',
    files: { a: oneEndpoint },
    argv: ['-c', '@/a', '-6um', ...everyFlag],
  },
  {
    why: 'a flag that switches off what a file switches on',
    files: { a: JSON.stringify({ network: { send_proxy: true }, endpoints: [plain] }) },
    argv: ['-c', '@/a', '--send-proxy', 'false'],
  },
  {
    why: '-c beside -l and -r',
    files: { a: oneEndpoint },
    argv: ['-c', '@/a', '-l', '[::1]:0', '-r', 'x:1'],
  },
  { why: '-l and -r', argv: ['-l', '127.0.0.1:0', '-r', 'a.example:1'] },
  { why: '-l= and -r=', argv: ['-l=127.0.0.1:0', '-r=a.example:1', '-6'] },
  { why: '-l and -r with their values in one word', argv: ['-l127.0.0.1:0', '-ra.example:1', '-fzu'] },
  { why: '--listen and --remote', argv: ['--listen=[::1]:0', '--remote', '192.0.2.1:1', '--ipv6', '--udp'] },
  {
    why: 'every flag of one endpoint',
    argv: ['-l', '127.0.0.1:0', '-r', 'a:1', '-x', '127.0.0.1', '-a', server, '-b', client, ...everyFlag],
  },
  { why: 'REALM_CONF above the command line', argv: ['-c', '/nowhere', '-u'], variable: oneEndpoint },
  { why: 'a REALM_CONF that does not parse', argv: ['-l', '127.0.0.1:0', '-r', 'a:1'], variable: '{"x": 1}' },
  { why: 'a legacy REALM_CONF', variable: JSON.stringify(unbound) },
  ...['[::]:0', '127.0.0.1:0', '[::1]:0', '::1:0', '[::ffff:127.0.0.1]:0'].map((listen) => one({ listen })),
  ...['a:1', 'A_b.example.:1', '192.0.2.1:1', '[::1]:1', '::1:1', '[fe80::1%3]:1'].map((remote) =>
    one({ remote }),
  ),
  ...['127.0.0.1:00000', '127.0.0.1:+0', '[::1]:000'].map((listen) => one({ listen })),
  ...['a:+01', '[::1]:0443', '192.0.2.1:000443'].map((remote) => one({ remote })),
  ...['[::1', '::1]', '127.0.0.1:+0'].map((through) => one({ through })),
  ...['roundrobin: 1, 2,', 'roundrobin: ,1,,2', 'roundrobin: +1, 002'].map((balance) =>
    one({ balance, extra_remotes: ['b:1'] }),
  ),
  one({ network: { tcp_keepalive: 0, tcp_keepalive_probe: 0 } }),
  {
    why: 'lists in place of tables',
    files: {
      a: JSON.stringify([
        ['warn', 'stderr'],
        ['ipv4_only', 1, 2, 3, 'udp', ['127.0.0.1:53']],
        [],
        [['127.0.0.1:0', 'a:1', ['b:2'], 'roundrobin: 2, 1', null, null, null, null, null, [false, true]]],
      ]),
    },
    argv: ['-c', '@/a'],
  },
  ...['127.0.0.1', '127.0.0.1:0', '127.0.0.1:9', '[::1]', '[::1]:0', '::1', '[::1]:9'].map((through) =>
    one({ through }),
  ),
  ...['off: 1', 'iphash: 1', 'iphash:1,2', 'roundrobin: 1, 0', 'roundrobin:255'].map((balance) =>
    one({ balance, extra_remotes: ['b:1'] }),
  ),
  ...['ws;host=a;path=/', ' tls ; servername=a ', 'path=/;host=a;ws;tls;servername=a'].map(
    (listen_transport) => one({ listen_transport }),
  ),
  ...['ws;host=a:1;path=/x?y', 'tls;sni=a;alpn=h2,x;0rtt'].map((remote_transport) =>
    one({ remote_transport }),
  ),
];

/** An endpoint that says `fields`, and what Realm needs besides. */
function one(fields: Readonly<Record<string, unknown>>): Outside {
  const text = JSON.stringify({ endpoints: [{ ...plain, ...fields }] });
  return { why: JSON.stringify(fields), files: { a: text }, argv: ['-c', '@/a'] };
}

describeRustRealm('relay and the Rust realm understand alike', () => {
  let pki: TestPki;
  let pair: PairFiles;
  let folder: string;

  before(() => {
    pki = new TestPki();
    pair = pki.pair('a.example');
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-alike-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  after(() => {
    pki.remove();
  });

  function filled(text: string): string {
    return text.replaceAll('@cert', pair.cert).replaceAll('@key', pair.key).replaceAll('@', folder);
  }

  function write(name: string, text: string): string {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, filled(text));
    return path;
  }

  for (const { why, files = {}, argv = [], variable } of outsides) {
    it(why, async () => {
      for (const [name, text] of Object.entries(files)) write(name, text);
      await expectAlike(argv.map(filled), variable);
    });
  }

  it('a ConfigMap as it is mounted, folder and file', async () => {
    write('map/..1/a.json', oneEndpoint);
    symlinkSync('..1', join(folder, 'map/..data'));
    symlinkSync('..data/a.json', join(folder, 'map/a.json'));
    await expectAlike(['-c', join(folder, 'map')]);
    await expectAlike(['-c', join(folder, 'map/a.json')]);
  });

  /** Starts Realm, and compares what it shows with what we make of the same. */
  async function expectAlike(argv: readonly string[], variable?: string): Promise<void> {
    const { parsed } =
      variableConfig(variable, () => undefined) ?? (await commandLineConfig(parseFlags(argv)));
    const { log, dns, endpoints } = parsed.config;
    const here = endpoints.flatMap(understoodHere);
    const realm = new RustRealm(argv, variable === undefined ? {} : { REALM_CONF: variable });
    try {
      const lines = await realm.started(here.length);
      expect(lines.map(understoodByRealm)).to.have.deep.members(here); // files of a folder come in any order
      if (dns !== undefined) expect(dnsOfRealm(realm.lines)).to.deep.equal(dnsHere(dns));
      const shown = `log: level=${log.level}, output=${log.output ?? 'stdout'}`;
      expect(realm.lines).to.include(log.level === 'info' ? 'log: level=off, output=stdout' : shown); // the defaults differ
    } finally {
      await realm.end();
    }
  }

  for (const type of ['toml', 'json']) {
    it(`convert, to ${type}`, async () => {
      const [path, theirs, ours] = [
        write('legacy', JSON.stringify(legacy)),
        join(folder, 'r'),
        join(folder, 'o'),
      ];
      expect(await new RustRealm(['convert', path, '-t', type, '-o', theirs]).ended).to.equal(0);
      expect(await run(['convert', path, '-t', type, '-o', ours])).to.equal(0);
      const read = type === 'toml' ? parse : JSON.parse;
      const [converted, expected] = [ours, theirs].map((file) => read(readFileSync(file, 'utf8')) as unknown);
      expect(converted).to.deep.equal(expected);
    });
  }

  const refused = [
    { argv: ['-l', '127.0.0.1', '-r', 'a:1'], codes: [1, 101] },
    { argv: ['-l', ':1', '-r', 'a:1'], codes: [1, 101] },
    { argv: ['-l', '127.0.0.1:0', '-r', 'a'], codes: [1, 101] },
    { argv: ['-l', '127.0.0.1:0', '-r', 'a:1', '-a', 'ws;host=a'], codes: [1, 101] },
    { argv: ['-l', '127.0.0.1:0', '-r', 'a:1', '-a', 'tls'], codes: [1, 101] },
    { argv: ['-l', '127.0.0.1:0', '-r', 'a:1', '-b', 'tls'], codes: [1, 101] },
    { argv: ['-l', '127.0.0.1:0', '-r', 'a:1', '--log-output', '/nowhere/log'], codes: [1, 101] },
    { argv: ['-c', '/nowhere'], codes: [1, 101] },
    { argv: ['-c', '/dev/null/x'], codes: [1, 101] },
    { argv: ['convert', '/nowhere'], codes: [1, 101] },
    { argv: [], codes: [2, 2] },
    { argv: ['-l', '127.0.0.1:0', '-l', '127.0.0.1:0', '-r', 'a:1'], codes: [2, 2] },
    { argv: ['-uu', '-c', 'x'], codes: [2, 2] },
    { argv: ['-c'], codes: [2, 2] },
    { argv: ['--nonsense'], codes: [2, 2] },
    { argv: ['--send-proxy', '-c', 'x'], codes: [2, 2] },
    { argv: ['convert'], codes: [2, 2] },
  ];
  for (const { argv, codes } of refused) {
    it(`refuse alike: ${argv.join(' ')}`, async () => {
      expect([await run(argv), await new RustRealm(argv).ended]).to.deep.equal(codes);
    });
  }

  /** The exit code of our program. */
  async function run(argv: readonly string[]): Promise<number> {
    const nowhere = { write: () => true };
    return runRelay(argv, { stdout: nowhere, stderr: nowhere, signals: new EventEmitter() });
  }
});
