import { expect } from 'chai';
import { helpText, parseFlags, UsageError } from '../../src/relay/flags.ts';

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
        listen: '[::]:80',
        remote: 'a:1',
        udp: true,
        ipv6: true,
      });
    });
  }

  it('has defaults', () => {
    const { admin, ...flags } = parseFlags(['-c', 'relay.json']);
    expect(flags).to.deep.equal({
      action: 'run',
      config: 'relay.json',
      udp: false,
      ipv6: false,
      isAdminGiven: false,
      drainSeconds: 30,
      withoutEffect: [],
    });
    expect(admin).to.deep.include({ host: '127.0.0.1', port: 9180 });
  });

  it('reads the rest', () => {
    const flags = parseFlags([
      '-c',
      'x',
      '--log-level',
      'DEBUG',
      '--admin',
      '[::]:9000',
      '--drain-seconds=5',
      '-f',
      '-z',
      '-p',
      '16',
    ]);
    expect(flags).to.deep.include({
      logLevel: 'debug',
      isAdminGiven: true,
      drainSeconds: 5,
      withoutEffect: ['tfo', 'splice', 'pipe-page'],
    });
    expect(flags.admin).to.deep.include({ host: '::', port: 9000 });
    expect(parseFlags(['-c', 'x', '--admin', 'off'])).to.not.have.property('admin');
  });

  it('lets -c win over -l and -r, which may then be missing', () => {
    expect(parseFlags(['-c', 'x', '-l', 'y'])).to.deep.include({ config: 'x', listen: 'y' });
  });

  it('answers -h and -v whatever else is there', () => {
    expect([parseFlags(['-h', '-l', 'x']).action, parseFlags(['-v']).action]).to.deep.equal([
      'help',
      'version',
    ]);
  });

  const bad = [
    { argv: [], message: 'nothing to do: give -c FILE, or -l ADDR and -r ADDR' },
    { argv: ['-l', 'a:1'], message: '-r is missing: give -c FILE, or -l ADDR and -r ADDR' },
    { argv: ['-r', 'a:1'], message: '-l is missing: give -c FILE, or -l ADDR and -r ADDR' },
    { argv: ['-c'], message: '-c: needs a value: PATH' },
    { argv: ['--config='], message: '--config: needs a value: PATH' },
    { argv: [...pair, '--udp=yes'], message: '--udp: takes no value' },
    { argv: [...pair, '-u', '-u'], message: '-u: is given twice' },
    { argv: [...pair, '-l', 'b:2'], message: '-l: is given twice' },
    { argv: [...pair, '--lisen', 'b:2'], message: '--lisen: there is no such flag: did you mean --listen?' },
    { argv: [...pair, '-y'], message: '-y: there is no such flag: see --help' },
    { argv: [...pair, 'extra'], message: '"extra": is not expected here' },
    {
      argv: [...pair, '--log-level', 'loud'],
      message: '--log-level: "loud" is none of off, error, warn, info, debug, trace',
    },
    {
      argv: [...pair, '--admin', '9000'],
      message: '--admin: "9000" has no port: write IPV4:PORT, [IPV6]:PORT or HOST:PORT, or off',
    },
    {
      argv: [...pair, '--drain-seconds', '-1'],
      message: '--drain-seconds: "-1" is not a whole number from 0 to 86400',
    },
    {
      argv: [...pair, '--drain-seconds', '90000'],
      message: '--drain-seconds: "90000" is not a whole number from 0 to 86400',
    },
    { argv: [...pair, '-d'], message: '-d: is a flag of Realm that this relay does not support: remove it' },
    {
      argv: [...pair, '--tcp-timeout', '5'],
      message: '--tcp-timeout: is a flag of Realm that this relay does not support: remove it',
    },
  ];
  for (const { argv, message } of bad) {
    it(`refuses "${argv.join(' ')}": ${message}`, () => {
      expect(() => parseFlags(argv))
        .to.throw(UsageError)
        .with.property('message', message);
    });
  }

  it('names every flag that it takes in its help', () => {
    for (const flag of [
      '-c, --config PATH',
      '-u, --udp',
      '-6, --ipv6',
      '--drain-seconds S',
      '--admin ADDR',
    ]) {
      expect(helpText()).to.contain(flag);
    }
  });
});
