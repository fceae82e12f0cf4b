import { expect } from 'chai';
import {
  flagTable,
  helpText,
  impossibleFlagTable,
  shownFlagTable,
} from '../../../src/relay/command-line/flag-table.ts';
import { ownFlags, parseFlags } from '../../../src/relay/command-line/flags.ts';
import { problemText } from '../../../src/lib/problem.ts';
import { UsageError } from '../../../src/lib/usage-error.ts';

const pair = ['-l', '[::]:80', '-r', 'a:1'];

describe('relay flags', () => {
  const spellings = [
    ['-l', '[::]:80', '-r', 'a:1', '-u', '-6'],
    ['-l=[::]:80', '-r=a:1', '-u6'],
    ['-l[::]:80', '-ra:1', '-6u'],
    ['--listen', '[::]:80', '--remote', 'a:1', '--udp', '--ipv6'],
    ['--listen=[::]:80', '--remote=a:1', '--ipv6', '--udp'],
  ];
  for (const argv of spellings) {
    it(`reads ${argv.join(' ')}`, () => {
      expect(parseFlags(argv)).to.deep.include({
        action: 'run',
        endpoint: { listen: '[::]:80', remote: 'a:1' },
        overrides: { log: {}, dns: {}, network: { use_udp: true, ipv6_only: true } },
      });
    });
  }

  it('has defaults', () => {
    const { admin, ...flags } = parseFlags(['-c', 'relay.json']);
    expect(flags).to.deep.equal({
      action: 'run',
      config: 'relay.json',
      endpoint: {},
      overrides: { log: {}, dns: {}, network: {} },
      isAdminGiven: false,
      drainSeconds: 30,
      drainLagSeconds: 0,
      engine: 'auto',
      workers: 1,
      isDaemon: false,
      withoutEffect: [],
      warnings: [],
    });
    expect(admin).to.deep.include({ host: '127.0.0.1', port: 9180 });
  });

  it('reads every other flag', () => {
    const flags = parseFlags([
      '-c',
      'x',
      '--log-level',
      'DEBUG',
      '--admin',
      '[::]:9000',
      '--drain-seconds=5',
      '--drain-lag-seconds=7',
      '--engine=node',
      '--workers=4',
      '-f',
      '-z',
      '-p',
      '16',
    ]);
    expect(flags).to.deep.include({
      overrides: { log: { level: 'debug' }, dns: {}, network: {} },
      isAdminGiven: true,
      drainSeconds: 5,
      drainLagSeconds: 7,
      engine: 'node',
      workers: 4,
      withoutEffect: ['tfo', 'splice', 'pipe-page'],
    });
    expect(flags.admin).to.deep.include({ host: '::', port: 9000 });
    expect(parseFlags(['-c', 'x', '--admin', 'off'])).to.not.have.property('admin');
  });

  it('-c overrides the flags that describe one endpoint, which are reported as without effect', () => {
    expect(parseFlags(['-c', 'x', '-l', 'y', '-i', 'z'])).to.deep.include({
      config: 'x',
      withoutEffect: ['listen', 'interface'],
    });
  });

  it('-h and -v take precedence over every other flag', () => {
    expect([parseFlags(['-h', '-l', 'x']).action, parseFlags(['-v']).action]).to.deep.equal([
      'help',
      'version',
    ]);
  });

  const bad = [
    { argv: [], message: 'no configuration: give -c PATH, or -l ADDR and -r ADDR' },
    { argv: ['-l', 'a:1'], message: '-r is missing: give -c PATH, or -l ADDR and -r ADDR' },
    { argv: ['-r', 'a:1'], message: '-l is missing: give -c PATH, or -l ADDR and -r ADDR' },
    { argv: ['-c'], message: '-c: needs a value: PATH' },
    { argv: ['--config='], message: '--config: needs a value: PATH' },
    { argv: [...pair, '--udp=yes'], message: '--udp: takes no value' },
    { argv: [...pair, '-u', '-u'], message: '-u: is given twice' },
    { argv: [...pair, '-l', 'b:2'], message: '-l: is given twice' },
    { argv: [...pair, '--lisen', 'b:2'], message: '--lisen: unknown flag: did you mean --listen?' },
    { argv: [...pair, '-y'], message: '-y: unknown flag: see --help' },
    { argv: [...pair, 'extra'], message: '"extra": is not expected here' },
    {
      argv: [...pair, '--log-level', 'loud'],
      message:
        '--log-level: is not one of the allowed words, got "loud": use one of off, error, warn, info, debug, trace',
    },
    {
      argv: [...pair, '--engine', 'rust'],
      message: '--engine: "rust" is not an engine: use auto, kernel, node',
    },
    {
      argv: [...pair, '--admin', '9000'],
      message: '--admin: "9000" has no port: write IPV4:PORT, [IPV6]:PORT or HOST:PORT, or off',
    },
    {
      argv: [...pair, '--drain-seconds', '-1'],
      message: '--drain-seconds: "-1" is not a whole number from 0 to 86400',
    },
    ...['0', '65', '-1', 'two', '1.5'].map((word) => ({
      argv: [...pair, '--workers', word],
      message: `--workers: "${word}" is not a whole number from 1 to 64`,
    })),
    {
      argv: [...pair, '--drain-seconds', '90000'],
      message: '--drain-seconds: "90000" is not a whole number from 0 to 86400',
    },
    {
      argv: [...pair, '--tcp-timeout', 'soon', '--tcp-keepalive-probe=-3'],
      message:
        '--tcp-timeout: has the wrong type, got "soon": give a whole number from 0 to 2147483\n' +
        '--tcp-keepalive-probe: has the wrong type, got "-3": give a whole number from 0 to 127',
    },
    { argv: [...pair, '-n', 'many'], message: '--nofile: "many" is not a whole number from 0 to 1073741816' },
    { argv: [...pair, '-j', 'a', '-i', 'eth0'], message: /^--pre-conn-hook: .*: remove it$/ },
  ];
  for (const { argv, message } of bad) {
    it(`refuses "${argv.join(' ')}": ${String(message)}`, () => {
      expect(() => parseFlags(argv))
        .to.throw(UsageError)
        .with.property('message')
        .that.satisfies((text: string) =>
          typeof message === 'string' ? text === message : message.test(text),
        );
    });
  }

  const overriding = [
    { argv: ['-t', '-u', '-6'], network: { no_tcp: true, use_udp: true, ipv6_only: true } },
    { argv: ['-m'], network: { send_mptcp: true, accept_mptcp: true } },
    { argv: ['--ntcp', '--udp'], network: { no_tcp: true, use_udp: true } },
    { argv: ['--tcp-timeout=1', '--udp-timeout', '0'], network: { tcp_timeout: 1, udp_timeout: 0 } },
    { argv: ['--tcp-timeout=+07', '--dns-max-ttl', '007'], network: { tcp_timeout: 7 }, dns: { max_ttl: 7 } },
    { argv: ['--tcp-keepalive', '20'], network: { tcp_keepalive: 20 } },
    { argv: ['--tcp-keepalive-probe', '9'], network: { tcp_keepalive_probe: 9 } },
    {
      argv: ['--send-proxy=true', '--accept-proxy', 'false'],
      network: { send_proxy: true, accept_proxy: false },
    },
    { argv: ['--send-proxy-version', '1'], network: { send_proxy_version: 1 } },
    { argv: ['--accept-proxy-timeout=0'], network: { accept_proxy_timeout: 0 } },
    { argv: ['--log-output', '/var/log/relay'], log: { output: '/var/log/relay' } },
    { argv: ['--log-level=WARN'], log: { level: 'warn' } },
    { argv: ['--dns-mode', 'IPv4_Only'], dns: { mode: 'ipv4_only' } },
    { argv: ['--dns-protocol=tcp_and_udp'], dns: { protocol: 'tcp_and_udp' } },
    { argv: ['--dns-min-ttl=1', '--dns-max-ttl', '2'], dns: { min_ttl: 1, max_ttl: 2 } },
    { argv: ['--dns-cache-size', '0'], dns: { cache_size: 0 } },
    {
      argv: ['--dns-servers', 'a:1, b:2'],
      dns: {
        nameservers: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    },
  ];
  for (const { argv, network = {}, log = {}, dns = {} } of overriding) {
    it(`${argv.join(' ')} overrides the file, and nothing else`, () => {
      const { overrides } = parseFlags(['-c', 'x', ...argv]);
      expect(overrides).to.deep.equal({ log, dns, network });
    });
  }

  it('caps a number that is too large, and warns', () => {
    const { overrides, warnings } = parseFlags([...pair, '--tcp-keepalive-probe=300', '-n', '+1024']);
    expect(overrides.network).to.deep.equal({ tcp_keepalive_probe: 127 });
    expect(warnings.map(problemText)).to.deep.equal([
      '--tcp-keepalive-probe: is more than has an effect, so that 127 applies, got 300: give at most 127',
    ]);
  });

  it('reads limits, --daemon and --check', () => {
    const flags = parseFlags([...pair, '-n=1024', '-d', '--check', '-x', '192.0.2.1']);
    expect(flags).to.deep.include({ action: 'check', nofile: 1024, isDaemon: true });
    expect(flags.endpoint).to.deep.include({ through: '192.0.2.1' });
  });

  it('reads only flags that Realm does not have if another source overrides the command line', () => {
    const argv = ['-h', '--nonsense', '--drain-seconds=5', '--admin', 'off', '-l', 'x', '--check'];
    expect(ownFlags(argv)).to.deep.include({ action: 'check', drainSeconds: 5, endpoint: {} });
    expect(ownFlags(argv)).to.not.have.property('admin');
  });

  it('lists every flag in its help, except those without effect', () => {
    for (const name of Object.keys(shownFlagTable)) expect(helpText()).to.contain(`--${name}`);
  });

  for (const [name, { short, value }] of Object.entries(flagTable)) {
    it(`knows --${name}${short === undefined ? '' : ` and -${short}`}`, () => {
      const [before, after] = name === 'config' ? [[], []] : [['-c', 'x'], []];
      const words = (flag: string): string[] => [
        ...before,
        flag,
        ...(value === undefined ? [] : [valueOf(name)]),
        ...after,
      ];
      const read = (flag: string): unknown => {
        try {
          return parseFlags(words(flag));
        } catch (error) {
          return (error as Error).message;
        }
      };
      const long = read(`--${name}`);
      if (short !== undefined) expect(read(`-${short}`)).to.deep.equal(long);
      const isRefused = Object.hasOwn(impossibleFlagTable, name);
      if (isRefused) expect(long).to.match(/^--[a-z-]+: Node\.js .*: remove it$/);
      else expect(long).to.be.an('object');
    });
  }
});

/** A value that the flag takes. */
function valueOf(name: string): string {
  const values: Readonly<Record<string, string>> = {
    'log-level': 'info',
    'dns-mode': 'ipv4_only',
    'dns-protocol': 'tcp',
    'send-proxy': 'false',
    'accept-proxy': 'false',
    admin: 'off',
    engine: 'kernel',
    'dns-servers': '192.0.2.1:53',
  };
  return values[name] ?? '1';
}
