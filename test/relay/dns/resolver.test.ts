import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmDns } from '../../../src/config/realm-document.ts';
import { relayConfig } from '../../../src/config/parsed-config.ts';
import { errorCode } from '../../../src/lib/errors.ts';
import { hostsAddresses } from '../../../src/relay/dns/hosts-file.ts';
import { searchNames } from '../../../src/relay/dns/resolv-conf.ts';
import { NameResolver } from '../../../src/relay/dns/resolver.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { DnsServer, type Zone } from './dns-server.ts';
import { keptLog, Loopback, received } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';
import { settingsIn } from './settings.ts';

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
  'alias.example': { CNAME: 'second.example' },
  'second.example': { CNAME: 'both.example' },
  'circle.example': { CNAME: 'round.example' },
  'round.example': { CNAME: 'circle.example' },
  'dangling.example': { CNAME: 'no.example' },
};

type Fixture = { readonly names: NameResolver; readonly server: DnsServer; readonly clock: FakeClock };

/** A resolver with the settings `dns` that queries a name server of the test. */
async function resolverWith(
  dns: RealmDns,
  { ttlSeconds = 60, hosts = '', truncated = false } = {},
): Promise<Fixture> {
  const server = new DnsServer(zone, ttlSeconds, truncated);
  const nameservers = [await server.listen(loopback)];
  const clock = new FakeClock();
  const names = new NameResolver({ clock, log: keptLog().log, settings: settingsIn(folder, { hosts }) });
  names.configure(relayConfig({ dns: { nameservers, ...dns }, endpoints: [] }, 'test').config.dns);
  return { names, server, clock };
}

describe('name resolver', () => {
  const four = ['192.0.2.1', '192.0.2.2'];
  const six = ['2001:db8::1'];
  const modes = [
    { mode: 'ipv4_only', host: 'both.example', expected: four, queried: ['A'] },
    { mode: 'ipv6_only', host: 'both.example', expected: six, queried: ['AAAA'] },
    { mode: 'ipv4_and_ipv6', host: 'both.example', expected: [...four, ...six], queried: ['A', 'AAAA'] },
    { mode: undefined, host: 'both.example', expected: [...six, ...four], queried: ['A', 'AAAA'] },
    { mode: 'ipv4_then_ipv6', host: 'both.example', expected: four, queried: ['A'] },
    { mode: 'ipv6_then_ipv4', host: 'both.example', expected: six, queried: ['AAAA'] },
    { mode: 'ipv4_then_ipv6', host: 'six.example', expected: ['2001:db8::6'], queried: ['A', 'AAAA'] },
    { mode: 'ipv6_then_ipv4', host: 'four.example', expected: ['192.0.2.4'], queried: ['A', 'AAAA'] },
    { mode: 'ipv4_and_ipv6', host: 'six.example', expected: ['2001:db8::6'], queried: ['A', 'AAAA'] },
  ] as const;
  for (const { mode, host, expected, queried } of modes) {
    it(`returns ${expected.join(' ')} for ${host} with mode ${mode ?? 'unset'}`, async () => {
      const { names, server } = await resolverWith(mode === undefined ? {} : { mode });
      expect(await names.lookup(host)).to.deep.equal(expected);
      expect(server.questions.toSorted()).to.deep.equal(queried.map((type) => `udp ${type} ${host}`));
    });
  }

  for (const { protocol, expected } of [
    { protocol: 'tcp', expected: 'tcp' },
    { protocol: 'udp', expected: 'udp' },
    { protocol: 'tcp_and_udp', expected: 'udp' },
  ] as const) {
    it(`queries over ${expected} with protocol ${protocol}, and leaves the environment unchanged`, async () => {
      const before = process.env['RES_OPTIONS'];
      const { names, server } = await resolverWith({ protocol, mode: 'ipv4_only' });
      expect(await names.lookup('four.example')).to.deep.equal(['192.0.2.4']);
      expect(server.questions).to.deep.equal([`${expected} A four.example`]);
      expect(process.env['RES_OPTIONS']).to.equal(before);
    });
  }

  const times = [
    { dns: {}, ttl: 60, keptMs: 60_000, why: 'its time to live' },
    { dns: { min_ttl: 300 }, ttl: 60, keptMs: 300_000, why: 'min_ttl if that is longer' },
    { dns: { max_ttl: 10 }, ttl: 60, keptMs: 10_000, why: 'max_ttl if that is shorter' },
  ];
  for (const { dns, ttl, keptMs, why } of times) {
    it(`caches an answer for ${why}`, async () => {
      const { names, server, clock } = await resolverWith({ ...dns, mode: 'ipv4_only' }, { ttlSeconds: ttl });
      await names.lookup('four.example');
      clock.advance(keptMs - 1);
      await names.lookup('four.example');
      expect(server.questions).to.have.length(1);
      clock.advance(1);
      await names.lookup('four.example');
      expect(server.questions).to.have.length(2);
    });
  }

  it('does not cache an answer whose time to live is 0', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only' }, { ttlSeconds: 0 });
    await names.lookup('four.example');
    await names.lookup('four.example');
    expect(server.questions).to.have.length(2);
  });

  it('caches the cache_size most recently used names', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only', cache_size: 2 });
    for (const host of ['both', 'four', 'both', 'web.svc.cluster.local', 'both', 'four']) {
      await names.lookup(host.includes('.') ? host : `${host}.example`);
    }
    const hosts = server.questions.map((question) => question.split(' ')[2]);
    expect(hosts).to.deep.equal(['both.example', 'four.example', 'web.svc.cluster.local', 'four.example']);
  });

  it('caches nothing if cache_size is 0', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only', cache_size: 0 });
    await names.lookup('four.example');
    await names.lookup('four.example');
    expect(server.questions).to.have.length(2);
  });

  it('sends one query for simultaneous lookups of one name', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only' });
    await Promise.all([1, 2, 3].map(() => names.lookup('four.example')));
    expect(server.questions).to.have.length(1);
  });

  it('prefers the hosts file, with the families of the mode', async () => {
    const hosts = '# comment\n192.0.2.77 other Four.Example # and more\n2001:db8::77\tfour.example\n';
    const { names, server } = await resolverWith({ mode: 'ipv6_then_ipv4' }, { hosts });
    expect(await names.lookup('four.example')).to.deep.equal(['2001:db8::77']);
    expect(server.questions).to.deep.equal([]);
  });

  it('reads the first 16 MiB of a hosts file, up to the last whole line', async () => {
    const fill = `#${'x'.repeat(1023)}\n`.repeat(16 * 1024).slice(0, 16 * 1024 * 1024 - 100);
    const hosts = `192.0.2.77 four.example\n${fill}\n192.0.2.78 four.example${' '.repeat(100)}.no\n`;
    const { names } = await resolverWith({ mode: 'ipv4_only' }, { hosts });
    expect(await names.lookup('four.example')).to.deep.equal(['192.0.2.77']);
  });

  it('rejects a name that does not exist, and queries it again five seconds later', async () => {
    const { names, server, clock } = await resolverWith({ mode: 'ipv4_only' });
    for (const [afterMs, times] of [
      [0, 1],
      [4999, 1],
      [1, 2],
    ] as const) {
      clock.advance(afterMs);
      const error = await names.lookup('no.example').catch((reason: unknown) => reason);
      expect(errorCode(error)).to.equal('ENOTFOUND');
      expect(server.questions).to.have.length(times);
    }
  });

  it('queries over TCP if an answer is truncated', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only' }, { truncated: true });
    expect(await names.lookup('four.example')).to.deep.equal(['192.0.2.4']);
    expect(server.questions).to.deep.equal(['udp A four.example', 'tcp A four.example']);
  });

  it('asks for what an alias leads to if the server states only the alias', async () => {
    const { names, server } = await resolverWith({ mode: 'ipv4_only' });
    expect(await names.lookup('alias.example')).to.deep.equal(four);
    expect(server.names).to.deep.equal(['alias.example', 'second.example', 'both.example']);
  });

  for (const { host, code, why } of [
    { host: 'circle.example', code: 'ENODATA', why: 'aliases that lead in a circle' },
    { host: 'dangling.example', code: 'ENOTFOUND', why: 'an alias of a name that does not exist' },
  ]) {
    it(`rejects ${why}`, async () => {
      const { names, server } = await resolverWith({ mode: 'ipv4_only' });
      const error = await names.lookup(host).catch((reason: unknown) => reason);
      expect(errorCode(error)).to.equal(code);
      expect(server.questions.length).to.be.at.most(17);
    });
  }

  it("uses the system's search domains only if neither name servers nor a protocol are configured", () => {
    const isSearching = (dns: RealmDns): unknown =>
      relayConfig({ dns, endpoints: [] }, 'test').config.dns?.isSearching;
    expect([
      isSearching({ mode: 'ipv4_only' }),
      isSearching({ protocol: 'udp' }),
      isSearching({ nameservers: ['192.0.2.1:53'] }),
    ]).to.deep.equal([true, false, false]);
  });

  const searched = [
    { host: 'web', ndots: 1, expected: ['web.svc.local', 'web.local', 'web'] },
    { host: 'web.ns', ndots: 1, expected: ['web.ns', 'web.ns.svc.local', 'web.ns.local'] },
    { host: 'web.ns', ndots: 2, expected: ['web.ns.svc.local', 'web.ns.local', 'web.ns'] },
    { host: 'web', ndots: 0, expected: ['web', 'web.svc.local', 'web.local'] },
    { host: 'web.', ndots: 5, expected: ['web'] },
  ];
  for (const { host, ndots, expected } of searched) {
    it(`queries ${host} with ndots ${String(ndots)} as ${expected.join(', ')}`, () => {
      expect(searchNames(host, { search: ['svc.local', 'local'], ndots })).to.deep.equal(expected);
    });
  }

  it('queries no name that is too long with a search domain', () => {
    const host = `${'a'.repeat(63)}.`.repeat(3).slice(0, -1);
    const search = ['b'.repeat(62), 'b'.repeat(60)];
    expect(searchNames(host, { search, ndots: 5 })).to.deep.equal([`${host}.${'b'.repeat(60)}`, host]);
  });

  it('ignores lines of a hosts file without an address', () => {
    expect(hostsAddresses('\nname name\n192.0.2.1\n# 192.0.2.1 name\n', 'name')).to.deep.equal([]);
  });
});

describe('relay program, names', () => {
  it("queries the file's name servers, follows a change of the file, and lets flags override it", async () => {
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
    await loopback
      .client(listen)
      .then(received)
      .catch(() => undefined); // it may be reset before it has connected
    expect(await relay.logged('connection failed')).to.have.property('side', 'upstream');
    write([nameserver]);
    await relay.logged('configuration applied');
    expect(await received(await loopback.client(listen))).to.equal('hi');
    expect(server.questions).to.deep.equal(['udp A remote.example']);
  });
});
