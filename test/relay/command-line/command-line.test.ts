import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { parseRelayConfig } from '../../../src/config/parsed-config.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { DnsServer } from '../dns/dns-server.ts';
import { endpoint, failure, Loopback, received } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-command-line-'));
});

afterEach(async () => {
  await loopback.closeAll();
  rmSync(folder, { recursive: true });
});

function start(argv: readonly string[], wrapper?: readonly string[]): RelayProcess {
  const relay = new RelayProcess(argv, wrapper);
  loopback.onClose(() => relay.end());
  return relay;
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const admin = ['--admin', '127.0.0.1:0'];

describe('relay program, command line', () => {
  it('gives network flags precedence over the file', async () => {
    const path = file('a.json', {
      network: { no_tcp: false },
      endpoints: [endpoint('127.0.0.1:9', {}, { no_tcp: false, use_udp: false })],
    });
    const relay = start(['-c', path, '-t', '-u', ...admin]);
    expect((await relay.status()).endpoints[0]?.protocols).to.deep.equal(['UDP']);
  });

  for (const { name, argv } of [
    { name: 'a file of the command line', argv: ['--log-output'] },
    { name: 'a file of the configuration', argv: [] },
  ]) {
    it(`appends its log to ${name}`, async () => {
      const output = file('log', '{"msg":"before"}\n');
      const path = file('a.json', { log: { output }, endpoints: [] });
      const relay = start(['-c', path, ...admin, ...argv, ...argv.map(() => output)]);
      const messages = await eventually('the log', () => {
        const lines = readFileSync(output, 'utf8').trim().split('\n');
        return lines.length > 1 ? lines.map((line) => (JSON.parse(line) as { msg: string }).msg) : undefined;
      });
      expect(messages).to.deep.equal(['before', 'relay started']);
      expect(relay.lines).to.deep.equal([]);
    });
  }

  it('logs to standard error', async () => {
    const relay = start(['-c', file('a.json', { endpoints: [] }), ...admin, '--log-output=stderr']);
    await eventually('a line', () => relay.stderr.includes('relay started'));
    expect(relay.lines).to.deep.equal([]);
  });

  it('exits with 1 if its log cannot be written', async () => {
    const relay = start(['-c', file('a.json', { endpoints: [] }), '--log-output', join(folder, 'no', 'log')]);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.match(/^the log cannot be written to .*\/no\/log \(ENOENT/);
  });

  it('--check accepts a valid configuration, and prints its warnings', async () => {
    const path = file('a.toml', 'endpoints = []\n[netwrk]\n');
    const relay = start(['--check', '-c', path]);
    expect(await relay.ended).to.equal(0);
    expect(relay.lines.map(({ msg }) => msg)).to.deep.equal(['valid, 0 endpoints']);
    expect(relay.stderr).to.equal(
      `${path}: warning: netwrk: is an unknown key and has no effect: did you mean "network"?\n`,
    );
  });

  it('--check counts one endpoint in the singular', async () => {
    const endpoints = [{ listen: '127.0.0.1:1', remote: '127.0.0.1:2' }];
    const relay = start(['--check', '-c', file('a.json', { endpoints })]);
    expect(await relay.ended).to.equal(0);
    expect(relay.lines.map(({ msg }) => msg)).to.deep.equal(['valid, 1 endpoint']);
  });

  it('--check warns once of endpoints without an idle limit', async () => {
    const at = (port: number): object => ({ listen: `[::]:${String(port)}`, remote: 'a:1' });
    const document = {
      endpoints: [
        { ...at(1), network: { tcp_idle_timeout: 600 } },
        { ...at(2), name: 'two' },
        { ...at(3), network: { no_tcp: true, use_udp: true } },
        at(4),
      ],
    };
    const relay = start(['--check', '-c', file('a.json', document)]);
    expect(await relay.ended).to.equal(0);
    expect(relay.stderr).to.equal(
      'warning: no idle limit, silent connections stay open: set tcp_idle_timeout, 600 is a good choice (2 endpoints, first: two)\n',
    );
  });

  it('--check prints every problem of a wrong configuration, and exits with 1', async () => {
    const path = file('a.toml', '[[endpoints]]\nlisten = "x"\n');
    const relay = start(['--check', '-c', path]);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr.trim().split('\n')).to.have.length(2);
  });

  it('--check prints port conflicts and loops, which no single key shows, and exits with 1', async () => {
    const endpoints = [
      { name: 'v4', listen: '0.0.0.0:8080', remote: '192.0.2.1:80' },
      { name: 'v6', listen: '[::]:8080', remote: '192.0.2.1:80' },
      { name: 'loop', listen: '0.0.0.0:8081', remote: 'localhost:8081' },
      { name: 'admin', listen: '0.0.0.0:9180', remote: '192.0.2.1:80' },
    ];
    const relay = start(['--check', '-c', file('a.json', { endpoints })]);
    expect(await relay.ended).to.equal(1);
    expect(relay.lines).to.deep.equal([]);
    expect(
      relay.stderr
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('warning: '))
        .map((line) => line.split(' (')[0]),
    ).to.deep.equal(['endpoints "v4"', 'endpoint "admin"', 'endpoint "loop"']);
  });

  it('--check looks up the names of listen, and prints their conflicts and which it does not find', async () => {
    const server = new DnsServer({
      'first.example': { A: ['127.0.0.1', '127.0.0.2'] },
      'second.example': { A: ['127.0.0.2'] },
      'v6.example': { AAAA: ['::1'] },
      'silent.example': 'silent',
    });
    const dns = { nameservers: [await server.listen(loopback)], mode: 'ipv4_and_ipv6' };
    const at = (name: string, listen: string): object => ({ name, listen, remote: '192.0.2.1:80' });
    const endpoints = [
      at('a', 'first.example:8080'),
      at('b', '127.0.0.1:8080'),
      at('c', 'second.example:8080'), // first.example is bound to its first address alone
      at('d', '[::1]:8080'),
      at('e', 'v6.example:8080'),
      at('f', 'silent.example:8080'),
    ];
    const relay = start(['--check', '-c', file('a.json', { dns, endpoints })]);
    expect(await relay.ended).to.equal(1);
    const lines = relay.stderr.trim().split('\n').slice(1);
    expect(lines).to.have.length(3);
    expect(lines[0]).to.match(
      /^warning: endpoint "f" cannot listen on silent\.example, which is not resolved/,
    );
    expect(lines.slice(1)).to.deep.equal([
      'endpoints "a" (first.example:8080 is 127.0.0.1:8080 for IPv4) and "b" (127.0.0.1:8080 for IPv4) cannot share TCP port 8080: ' +
        'choose another port or address for one of them',
      'endpoints "d" ([::1]:8080 for IPv6) and "e" (v6.example:8080 is [::1]:8080 for IPv6) cannot share TCP port 8080: ' +
        'choose another port or address for one of them',
    ]);
  });

  it('logs a loop at the start and with each configuration that has one', async () => {
    const port = await freePort();
    const listen = `127.0.0.1:${String(port)}`;
    const endpoints = [{ name: 'loop', listen, remote: listen }];
    const relay = start(['-c', file('a.json', { endpoints }), ...admin]);
    const line = await relay.logged('configuration problem');
    expect(line['problem']).to.contain(`endpoint "loop" (${listen}) is its own remote`);
  });

  it('sets the limit of open files that -n gives', async function () {
    if (spawnSync('prlimit', ['--version']).status !== 0) this.skip();
    const relay = start(['-c', file('a.json', { endpoints: [] }), ...admin, '-n', '123']);
    await relay.logged('relay started');
    const limits = readFileSync(`/proc/${String(relay.pid)}/limits`, 'utf8');
    expect(limits).to.match(/^Max open files +123 +123 /m);
  });

  it('warns if it cannot set the limit of open files, and runs', async () => {
    const path = file('a.json', { endpoints: [] });
    const aboveMaximum = '1073741816'; // of fs.nr_open, which nobody may exceed
    const relay = start(['-c', path, ...admin, '-n', aboveMaximum]);
    const warning = await relay.logged('open file limit not changed, start the relay under "ulimit -n"');
    expect(warning['problem']).to.contain('prlimit');
    await relay.logged('relay started');
  });

  it('with -d it serves from the background', async () => {
    const [port, log] = [String(await freePort()), join(folder, 'log')];
    const remote = await loopback.greeter('hi');
    const quiet = ['--admin', 'off', '--drain-seconds', '0'];
    const relay = start(['-d', '-l', `127.0.0.1:${port}`, '-r', remote, '--log-output', log, ...quiet]);
    expect(await relay.ended).to.equal(0);
    const pid = Number(/^running in the background as process (\d+)$/.exec(relay.lines[0]?.msg ?? '')?.[1]);
    loopback.onClose(() => {
      process.kill(pid, 'SIGKILL');
    });
    await eventually('its log', () => readFileSync(log, 'utf8').includes('relay started'));
    expect(await received(await loopback.client(`127.0.0.1:${port}`))).to.equal('hi');
    process.kill(pid, 'SIGTERM');
    await eventually('its end', () => readFileSync(log, 'utf8').includes('relay stopped'));
    expect(await failure(loopback.dial(`127.0.0.1:${port}`))).to.equal('ECONNREFUSED');
  });

  it('with -d it reports a wrong configuration in the foreground', async () => {
    const wrong = start(['-d', '-l', 'x', '-r', 'y:1']);
    expect(await wrong.ended).to.equal(1);
    expect(wrong.stderr).to.match(/^command line: endpoints\[0\]\.listen: has no port/);
  });
});

describe('relay program, convert', () => {
  const legacy = {
    listening_addresses: ['0.0.0.0'],
    listening_ports: ['1-2'],
    remote_addresses: ['a'],
    remote_ports: ['3'],
  };
  const current = [
    { listen: '0.0.0.0:1', remote: 'a:3' },
    { listen: '0.0.0.0:2', remote: 'a:3' },
  ];

  for (const argv of [[], ['-t', 'toml'], ['-t', 'json'], ['-t=json'], ['--type=json']]) {
    it(`rewrites a legacy configuration in the present format: ${argv.join(' ')}`, async () => {
      const output = join(folder, 'out');
      const relay = start(['convert', file('legacy.json', legacy), ...argv, '-o', output]);
      expect(await relay.ended).to.equal(0);
      const text = readFileSync(output, 'utf8');
      expect(text.startsWith('{')).to.equal(argv.join('').includes('json'));
      const direct = parseRelayConfig([{ source: 'x', text: JSON.stringify({ endpoints: current }) }]);
      expect(parseRelayConfig([{ source: 'x', text }])).to.deep.equal(direct);
    });
  }

  it('converts JSON to TOML on standard output', async () => {
    const path = file('a.json', { network: null, endpoints: [{ listen: '[::]:1', remote: 'a:1' }] });
    const relay = start(['convert', path]);
    expect(await relay.ended).to.equal(0);
    expect(relay.lines.map(({ msg }) => msg)).to.deep.equal([
      '[[endpoints]]',
      'listen = "[::]:1"',
      'remote = "a:1"',
    ]);
  });

  const wrong = [
    { argv: [], code: 2, stderr: /^give one file: convert PATH/ },
    { argv: ['x', '-t', 'yaml'], code: 2, stderr: /^--type: "yaml" is neither toml nor json/ },
    { argv: ['/nowhere'], code: 1, stderr: /^\/nowhere: there is no such file/ },
    { argv: ['/etc/hostname'], code: 1, stderr: /^\/etc\/hostname: / },
  ];
  for (const { argv, code, stderr } of wrong) {
    it(`exits with ${String(code)}: convert ${argv.join(' ')}`, async () => {
      const relay = start(['convert', ...argv]);
      expect(await relay.ended).to.equal(code);
      expect(relay.stderr).to.match(stderr).and.to.not.contain('    at ');
    });
  }
});
