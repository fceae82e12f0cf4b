import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmDns } from '../../../src/config/realm-document.ts';
import { relayConfig } from '../../../src/config/parsed-config.ts';
import { errorCode } from '../../../src/lib/errors.ts';
import { hostsAddresses, searchNames } from '../../../src/relay/dns/hosts-file.ts';
import { NameResolver } from '../../../src/relay/dns/resolver.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { DnsServer, type Zone } from './dns-server.ts';
import { Loopback, received } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-names-'));
});

afterEach(async () => {
  await loopback.closeAll();
  rmSync(folder, { recursive: true });
});

const zone: Zone = {
  'both.example': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'] },
  'four.example': { A: ['192.0.2.4'] },
  'six.example': { AAAA: ['2001:db8::6'] },
  'web.svc.cluster.local': { A: ['192.0.2.9'] },
};

type Asked = { readonly names: NameResolver; readonly server: DnsServer; readonly clock: FakeClock };

/** Names that ask a server of ours, as `dns` says. */
async function asking(dns: RealmDns, ttlSeconds = 60, hosts = ''): Promise<Asked> {
  const server = new DnsServer(zone, ttlSeconds);
  const nameservers = [await server.listen(loopback)];
  const files = { hosts: join(folder, 'hosts'), resolvConf: join(folder, 'resolv.conf') };
  writeFileSync(files.hosts, hosts);
  const clock = new FakeClock();
  const names = new NameResolver(clock, files);
  names.configure(relayConfig({ dns: { nameservers, ...dns }, endpoints: [] }, 'test').config.dns);
  return { names, server, clock };
}

describe('names', () => {
  const four = ['192.0.2.1', '192.0.2.2'];
  const six = ['2001:db8::1'];
  const modes = [
    { mode: 'ipv4_only', host: 'both.example', expected: four, asked: ['A'] },
    { mode: 'ipv6_only', host: 'both.example', expected: six, asked: ['AAAA'] },
    { mode: 'ipv4_and_ipv6', host: 'both.example', expected: [...four, ...six], asked: ['A', 'AAAA'] },
    { mode: undefined, host: 'both.example', expected: [...six, ...four], asked: ['A', 'AAAA'] },
    { mode: 'ipv4_then_ipv6', host: 'both.example', expected: four, asked: ['A'] },
    { mode: 'ipv6_then_ipv4', host: 'both.example', expected: six, asked: ['AAAA'] },
    { mode: 'ipv4_then_ipv6', host: 'six.example', expected: ['2001:db8::6'], asked: ['A', 'AAAA'] },
    { mode: 'ipv6_then_ipv4', host: 'four.example', expected: ['192.0.2.4'], asked: ['A', 'AAAA'] },
    { mode: 'ipv4_and_ipv6', host: 'six.example', expected: ['2001:db8::6'], asked: ['A', 'AAAA'] },
  ] as const;
  for (const { mode, host, expected, asked } of modes) {
    it(`mode ${mode ?? 'unset'} gives of ${host} ${expected.join(' ')}`, async () => {
      const { names, server } = await asking(mode === undefined ? {} : { mode });
      expect(await names.lookup(host)).to.deep.equal(expected);
      expect(server.questions.toSorted()).to.deep.equal(asked.map((type) => `udp ${type} ${host}`));
    });
  }

  for (const { protocol, expected } of [
    { protocol: 'tcp', expected: 'tcp' },
    { protocol: 'udp', expected: 'udp' },
    { protocol: 'tcp_and_udp', expected: 'udp' },
  ] as const) {
    it(`asks by ${expected} with protocol ${protocol}, and leaves the environment as it was`, async () => {
      const before = process.env['RES_OPTIONS'];
      const { names, server } = await asking({ protocol, mode: 'ipv4_only' });
      expect(await names.lookup('four.example')).to.deep.equal(['192.0.2.4']);
      expect(server.questions).to.deep.equal([`${expected} A four.example`]);
      expect(process.env['RES_OPTIONS']).to.equal(before);
    });
  }

  const times = [
    { dns: {}, ttl: 60, keptMs: 60_000, why: 'its own time to live' },
    { dns: { min_ttl: 300 }, ttl: 60, keptMs: 300_000, why: 'min_ttl where that is more' },
    { dns: { max_ttl: 10 }, ttl: 60, keptMs: 10_000, why: 'max_ttl where that is less' },
  ];
  for (const { dns, ttl, keptMs, why } of times) {
    it(`keeps an answer for ${why}`, async () => {
      const { names, server, clock } = await asking({ ...dns, mode: 'ipv4_only' }, ttl);
      await names.lookup('four.example');
      clock.advance(keptMs - 1);
      await names.lookup('four.example');
      expect(server.questions).to.have.length(1);
      clock.advance(1);
      await names.lookup('four.example');
      expect(server.questions).to.have.length(2);
    });
  }

  it('keeps no answer whose time to live is 0', async () => {
    const { names, server } = await asking({ mode: 'ipv4_only' }, 0);
    await names.lookup('four.example');
    await names.lookup('four.example');
    expect(server.questions).to.have.length(2);
  });

  it('keeps as many names as cache_size allows, those used last', async () => {
    const { names, server } = await asking({ mode: 'ipv4_only', cache_size: 2 });
    for (const host of ['both', 'four', 'both', 'web.svc.cluster.local', 'both', 'four']) {
      await names.lookup(host.includes('.') ? host : `${host}.example`);
    }
    const hosts = server.questions.map((question) => question.split(' ')[2]);
    expect(hosts).to.deep.equal(['both.example', 'four.example', 'web.svc.cluster.local', 'four.example']);
  });

  it('keeps nothing where cache_size is 0', async () => {
    const { names, server } = await asking({ mode: 'ipv4_only', cache_size: 0 });
    await names.lookup('four.example');
    await names.lookup('four.example');
    expect(server.questions).to.have.length(2);
  });

  it('asks once for those who want the same name at a time', async () => {
    const { names, server } = await asking({ mode: 'ipv4_only' });
    await Promise.all([1, 2, 3].map(() => names.lookup('four.example')));
    expect(server.questions).to.have.length(1);
  });

  it('honours the hosts file, by the families of mode', async () => {
    const hosts = '# comment\n192.0.2.77 other Four.Example # and more\n2001:db8::77\tfour.example\n';
    const { names, server } = await asking({ mode: 'ipv6_then_ipv4' }, 60, hosts);
    expect(await names.lookup('four.example')).to.deep.equal(['2001:db8::77']);
    expect(server.questions).to.deep.equal([]);
  });

  it('rejects for a name that is not there, and asks again the next time', async () => {
    const { names, server } = await asking({ mode: 'ipv4_only' });
    for (const times of [1, 2]) {
      const error = await names.lookup('no.example').catch((reason: unknown) => reason);
      expect(errorCode(error)).to.equal('ENOTFOUND');
      expect(server.questions).to.have.length(times);
    }
  });

  it("tries the system's search domains only where neither name servers nor a protocol are given", () => {
    const searching = (dns: RealmDns): unknown =>
      relayConfig({ dns, endpoints: [] }, 'test').config.dns?.isSearching;
    expect([
      searching({ mode: 'ipv4_only' }),
      searching({ protocol: 'udp' }),
      searching({ nameservers: ['192.0.2.1:53'] }),
    ]).to.deep.equal([true, false, false]);
  });

  const searched = [
    { host: 'web', expected: ['web.svc.local', 'web.local', 'web'] },
    { host: 'web.ns', expected: ['web.ns', 'web.ns.svc.local', 'web.ns.local'] },
    { host: 'web.', expected: ['web.'] },
  ];
  for (const { host, expected } of searched) {
    it(`asks for ${host} as ${expected.join(', ')}`, () => {
      const text = 'nameserver 192.0.2.1\nsearch old\nsearch svc.local .local\noptions ndots:5\n';
      expect(searchNames(text, host)).to.deep.equal(expected);
    });
  }

  it('finds no address in lines of a hosts file that hold none', () => {
    expect(hostsAddresses('\nname name\n192.0.2.1\n# 192.0.2.1 name\n', 'name')).to.deep.equal([]);
  });
});

describe('relay program, names', () => {
  it("asks the file's name servers, and others after a change of it; flags stand above", async () => {
    const remote = await loopback.greeter('hi');
    const server = new DnsServer({ 'remote.example': { A: ['127.0.0.1'] } });
    const nameserver = await server.listen(loopback);
    const path = join(folder, 'a.json');
    const write = (nameservers: string[]): void => {
      const endpoint = { listen: '127.0.0.1:0', remote: `remote.example:${remote.split(':')[1] ?? ''}` };
      writeFileSync(path, JSON.stringify({ dns: { nameservers }, endpoints: [endpoint] }));
    };
    write(['127.0.0.1:1']);
    const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0', '--dns-mode', 'IPV4_ONLY']);
    loopback.onClose(() => relay.end());
    const [listen = ''] = (await relay.status()).endpoints.map((each) => each.listen);
    await received(await loopback.client(listen)).catch(() => undefined);
    expect(await relay.logged('connection failed')).to.have.property('side', 'upstream');
    write([nameserver]);
    await relay.logged('configuration taken');
    expect(await received(await loopback.client(listen))).to.equal('hi');
    expect(server.questions).to.deep.equal(['udp A remote.example']);
  });
});
