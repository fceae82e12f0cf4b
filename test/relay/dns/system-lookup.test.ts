import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect } from 'chai';
import { asError, errorCode } from '../../../src/lib/errors.ts';
import { NameResolver } from '../../../src/relay/dns/resolver.ts';
import type { SystemSettings } from '../../../src/relay/dns/system-lookup.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { keptLog, Loopback, split, type LogLine } from '../loopback.ts';
import { DnsServer, type Zone } from './dns-server.ts';
import { settingsIn, type SystemTexts } from './settings.ts';

const loopback = new Loopback();

afterEach(() => loopback.closeAll());

const zone: Zone = {
  'a.example': { A: ['192.0.2.1'] },
  'web.ns.svc.local': { A: ['192.0.2.2'] },
  'web.ns': { A: ['192.0.2.3'] },
  'listed.example': { A: ['192.0.2.4'] },
};

type Fixture = {
  readonly names: NameResolver;
  readonly server: DnsServer;
  readonly clock: FakeClock;
  readonly settings: SystemSettings;
  readonly lines: readonly LogLine[];
  readonly write: (texts: SystemTexts) => void;
};

/** A resolver by the rules of a system whose name server, in all lines of its resolv.conf, is the test's. */
async function systemWith(texts: SystemTexts = {}, ttlSeconds = 60): Promise<Fixture> {
  const server = new DnsServer(zone, ttlSeconds);
  const { port } = split(await server.listen(loopback));
  const folder = loopback.folder();
  const write = ({ resolvConf = '', ...rest }: SystemTexts): SystemSettings =>
    settingsIn(folder, { ...rest, resolvConf: `nameserver 127.0.0.1\n${resolvConf}` }, port);
  const settings = write(texts);
  const clock = new FakeClock();
  const { log, lines } = keptLog();
  return { names: new NameResolver({ clock, log, settings }), server, clock, settings, lines, write };
}

const result = async (lookup: Promise<readonly string[]>): Promise<unknown> =>
  lookup.catch((error: unknown) => errorCode(error) || asError(error).name);

describe("names by the system's rules", () => {
  const orders = [
    { host: 'a.example', expected: ['192.0.2.1'], asked: ['a.example'], why: 'name servers' },
    { host: 'A.Example', expected: ['192.0.2.1'], asked: ['a.example'], why: 'any case' },
    { host: 'listed.example', expected: ['192.0.2.77'], asked: [], why: 'the hosts file first' },
    { host: 'listed', expected: ['192.0.2.77'], asked: [], why: 'an alias of the hosts file' },
    {
      host: 'listed.example',
      texts: { nsswitch: 'hosts: dns files\n' },
      expected: ['192.0.2.4'],
      asked: ['listed.example'],
      why: 'name servers first if nsswitch.conf states so',
    },
    {
      host: 'a.example',
      texts: { nsswitch: 'passwd: files\nhosts: files [NOTFOUND=return] dns # and more\n' },
      expected: 'ENOTFOUND',
      asked: [],
      why: 'no service after one that returns',
    },
    {
      host: 'a.example',
      texts: {
        nsswitch: 'hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] myhostname dns',
      },
      expected: ['192.0.2.1'],
      asked: ['a.example'],
      why: 'services that do not know the name',
    },
    {
      host: 'web.ns',
      texts: { resolvConf: 'search svc.local\noptions ndots:5\n' },
      expected: ['192.0.2.2'],
      asked: ['web.ns.svc.local'],
      why: 'search domains with ndots',
    },
    {
      host: 'web.ns',
      texts: { resolvConf: 'search svc.local\n' },
      expected: ['192.0.2.3'],
      asked: ['web.ns'],
      why: 'ndots 1 by default',
    },
    {
      host: 'web.ns.',
      texts: { resolvConf: 'search svc.local\noptions ndots:5\n' },
      expected: ['192.0.2.3'],
      asked: ['web.ns'],
      why: 'a name that ends with a dot as it is',
    },
    {
      host: 'a.example',
      texts: { resolvConf: 'search one.local two.local\noptions ndots:2\n' },
      expected: ['192.0.2.1'],
      asked: ['a.example.one.local', 'a.example.two.local', 'a.example'],
      why: 'the name as it is after its search domains',
    },
    {
      host: 'none.example',
      expected: 'ENOTFOUND',
      asked: ['none.example'],
      why: 'a name that does not exist',
    },
  ];
  for (const { host, texts = {}, expected, asked, why } of orders) {
    it(`looks ${host} up: ${why}`, async () => {
      const { names, server } = await systemWith({ hosts: '192.0.2.77 listed.example listed\n', ...texts });
      expect(await result(names.lookup(host))).to.deep.equal(expected);
      expect(server.names).to.deep.equal(asked);
    });
  }

  for (const host of ['localhost', 'localhost.', 'a.localhost', 'LOCALHOST']) {
    it(`resolves ${host} to loopback without a query`, async () => {
      const { names, server } = await systemWith();
      expect((await names.lookup(host)).toSorted()).to.deep.equal(['127.0.0.1', '::1']);
      expect(server.questions).to.deep.equal([]);
    });
  }

  it('asks for IPv4 alone with no-aaaa, and over TCP with use-vc', async () => {
    const { names, server } = await systemWith({ resolvConf: 'options no-aaaa use-vc\n' });
    await names.lookup('a.example');
    expect(server.questions).to.deep.equal(['tcp A a.example']);
  });

  it('follows changes of the hosts file, of resolv.conf and of nsswitch.conf', async () => {
    const { names, server, write } = await systemWith();
    expect(await names.lookup('listed.example')).to.deep.equal(['192.0.2.4']);
    for (const last of ['5', '6']) {
      write({ hosts: `192.0.2.${last} listed.example\n` });
      expect(await names.lookup('listed.example')).to.deep.equal([`192.0.2.${last}`]);
    }
    write({ resolvConf: 'search svc.local\noptions ndots:5\n' });
    expect(await names.lookup('web.ns')).to.deep.equal(['192.0.2.2']);
    write({ nsswitch: 'hosts: files\n' });
    expect(await result(names.lookup('web.ns'))).to.equal('ENOTFOUND');
    expect(server.names).to.deep.equal(['listed.example', 'web.ns.svc.local']);
  });

  it('looks names up without files', async () => {
    const { names, settings } = await systemWith();
    for (const path of [settings.hosts, settings.nsswitch, settings.gaiConf]) rmSync(path);
    expect(await names.lookup('a.example')).to.deep.equal(['192.0.2.1']);
  });
});

describe("names by the system's rules, other services", () => {
  /** A getent(1) that prints 192.0.2.9 for `known`, and does not end for `silent` and for others of that kind. */
  function writeGetent({ getent }: SystemSettings): string {
    const pids = `${getent}.pids`;
    const script = `#!/bin/sh
case $3 in
  silent*) echo $$ >>${pids}; exec sleep 1000;;
  known*) printf '192.0.2.9 STREAM %s\\n192.0.2.9 DGRAM\\n192.0.2.9 RAW\\n' "$3";;
  *) exit 2;;
esac
`;
    writeFileSync(getent, script);
    chmodSync(getent, 0o755);
    return pids;
  }

  const services = [
    { nsswitch: 'hosts: files mymachines dns', host: 'known', why: 'a service that is not built in' },
    {
      nsswitch: 'hosts: files mdns4_minimal [NOTFOUND=return] dns',
      host: 'known.local',
      why: 'multicast DNS',
    },
    {
      nsswitch: 'hosts: files dns myhostname',
      host: '_gateway',
      expected: 'ENOTFOUND',
      why: 'names of systemd',
    },
  ];
  for (const { nsswitch, host, expected = ['192.0.2.9'], why } of services) {
    it(`lets getent look ${host} up: ${why}`, async () => {
      const { names, settings } = await systemWith({ nsswitch });
      writeGetent(settings);
      expect(await result(names.lookup(host))).to.deep.equal(expected);
    });
  }

  it('asks the name server of systemd-resolved instead of its service', async () => {
    const { names, settings, server } = await systemWith({
      nsswitch: 'hosts: resolve [!UNAVAIL=return] dns',
    });
    writeFileSync(settings.resolved, '');
    writeGetent(settings);
    expect(await names.lookup('known')).to.deep.equal(['192.0.2.9']);
    writeFileSync(settings.resolvConf, 'nameserver 127.0.0.53\n');
    const client = new AbortController();
    const lookup = result(names.lookup('known.', client.signal));
    client.abort();
    expect(await lookup).to.equal('AbortError');
    expect(server.questions).to.deep.equal([]);
  });

  it('counts a system without getent as one that does not know the name', async () => {
    const { names } = await systemWith({ nsswitch: 'hosts: mymachines dns' });
    expect(await names.lookup('a.example')).to.deep.equal(['192.0.2.1']);
  });

  it('ends the process when nobody waits, and the oldest of 32 for another name', async () => {
    const { names, settings } = await systemWith({ nsswitch: 'hosts: files mymachines' });
    const pids = writeGetent(settings);
    const client = new AbortController();
    const left = result(names.lookup('silent', client.signal));
    await eventually('the process', () => existsSync(pids));
    client.abort();
    expect(await left).to.equal('AbortError');
    const clients = new AbortController();
    const silent = Array.from({ length: 32 }, (_, index) =>
      result(names.lookup(`silent${String(index)}`, clients.signal)),
    );
    expect(await names.lookup('known')).to.deep.equal(['192.0.2.9']);
    expect(await silent[0]).to.equal('EAI_AGAIN');
    clients.abort();
    expect(new Set(await Promise.all(silent.slice(1)))).to.deep.equal(new Set(['AbortError']));
  });

  it('leaves the name of this machine to the hosts file and to getent', async () => {
    const { names, settings, server } = await systemWith({ nsswitch: 'hosts: files myhostname dns' });
    writeFileSync(settings.getent, '#!/bin/sh\necho 192.0.2.8 STREAM\n', { mode: 0o755 });
    expect(await names.lookup(hostname())).to.deep.equal(['192.0.2.8']);
    expect(server.questions).to.deep.equal([]);
  });
});

describe("names by the system's rules, name servers that fail", () => {
  const fails = { 'a.example': 'SERVFAIL' } as const;

  /** A system with two name servers; the port of both is the same, so the first one is at another address. */
  async function twoServers(first: Zone, options = ''): Promise<Fixture & { readonly first: DnsServer }> {
    const fixture = await systemWith();
    const server = new DnsServer(first);
    await server.listen(loopback, '127.0.0.2', fixture.settings.dnsPort);
    const resolvConf = `nameserver 127.0.0.2\nnameserver 127.0.0.1\n${options}`;
    writeFileSync(fixture.settings.resolvConf, resolvConf);
    return { ...fixture, first: server };
  }

  it('asks the next server at once if one fails', async () => {
    const { names, first } = await twoServers(fails);
    expect(await names.lookup('a.example')).to.deep.equal(['192.0.2.1']);
    expect(first.names).to.deep.equal(['a.example']);
  });

  it('asks the next server after the timeout if one is silent, and that one first for thirty seconds', async () => {
    const { names, clock, first, server } = await twoServers(
      { 'a.example': 'silent' },
      'options timeout:3\n',
    );
    const lookup = names.lookup('a.example');
    await eventually('both questions', () => first.questions.length === 2);
    clock.advance(2999);
    expect(server.questions).to.deep.equal([]);
    clock.advance(1);
    expect(await lookup).to.deep.equal(['192.0.2.1']);
    await names.lookup('web.ns');
    expect(first.names).to.deep.equal(['a.example']);
    clock.advance(30_000);
    expect(await result(names.lookup('none.example'))).to.equal('ENOTFOUND');
    expect(first.names).to.deep.equal(['a.example', 'none.example']);
  });

  it('asks each server in turn with rotate', async () => {
    const { names, first, server } = await twoServers(zone, 'options rotate no-aaaa\n');
    for (const name of ['a.example', 'web.ns', 'listed.example']) await names.lookup(name);
    expect([first.names, server.names]).to.deep.equal([['a.example', 'listed.example'], ['web.ns']]);
  });

  it('takes the answer of a server that is late', async () => {
    const { names, clock, first, server } = await twoServers({ 'a.example': 'held' });
    server.zone['a.example'] = 'silent';
    const lookup = names.lookup('a.example');
    await eventually('the first server', () => first.questions.length === 2);
    clock.advance(2000);
    await eventually('the second server', () => server.questions.length === 2);
    first.release('a.example', { A: ['192.0.2.5'] });
    expect(await lookup).to.deep.equal(['192.0.2.5']);
  });

  it('asks each server as often as attempts states, and fails then', async () => {
    const { names, clock, server } = await systemWith({
      resolvConf: 'options timeout:1 attempts:2 no-aaaa\n',
    });
    server.zone['a.example'] = 'silent';
    const lookup = result(names.lookup('a.example'));
    for (const times of [1, 2]) {
      await eventually('the question', () => server.questions.length === times);
      clock.advance(1000);
    }
    expect(await lookup).to.equal('EAI_AGAIN');
  });

  it('asks the only server again after SERVFAIL, as often as attempts states', async () => {
    const { names, server } = await systemWith({ resolvConf: 'options attempts:3 no-aaaa\n' });
    server.zone['a.example'] = 'SERVFAIL';
    expect(await names.lookup('a.example').catch(errorCode)).to.equal('EAI_AGAIN');
    expect(server.questions).to.deep.equal(['udp A a.example', 'udp A a.example', 'udp A a.example']);
  });

  it('goes on with the search domains after a server that fails', async () => {
    const { names, server } = await systemWith({ resolvConf: 'search bad.local\noptions ndots:5\n' });
    server.zone['a.example.bad.local'] = 'SERVFAIL';
    expect(await names.lookup('a.example')).to.deep.equal(['192.0.2.1']);
  });

  it('does not wait for the IPv6 address of a name if only its IPv4 address is answered', async () => {
    const { names, clock, server } = await systemWith({ resolvConf: 'options timeout:30\n' });
    server.zone['a.example'] = { A: ['192.0.2.1'], AAAA: 'silent' };
    let found: readonly string[] | undefined;
    void names.lookup('a.example').then((addresses) => (found = addresses));
    await eventually('the addresses', () => {
      clock.advance(100);
      return found !== undefined;
    });
    expect(found).to.deep.equal(['192.0.2.1']);
    expect(server.questions).to.have.length(2);
  });

  it('uses an answer beyond its time to live while servers are silent, and logs that', async () => {
    const { names, clock, server, lines } = await systemWith({ resolvConf: 'options attempts:1\n' }, 1);
    await names.lookup('a.example');
    clock.advance(1001);
    server.zone['a.example'] = 'held';
    const lookup = names.lookup('a.example');
    await eventually('the questions', () => server.questions.length === 4);
    clock.advance(500);
    expect(await lookup).to.deep.equal(['192.0.2.1']);
    clock.advance(1500);
    await eventually('the log', () => lines.some(({ name }) => name === 'a.example'));
    clock.advance(5000);
    server.release('a.example', { A: ['192.0.2.6'] });
    expect(await names.lookup('a.example')).to.deep.equal(['192.0.2.1']);
    await eventually('the new answer', async () => (await names.lookup('a.example')).includes('192.0.2.6'));
  });
});
