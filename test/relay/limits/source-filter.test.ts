import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { relayConfig } from '../../../src/config/parsed-config.ts';
import { proxyHeader } from '../../../src/relay/proxy-protocol/header.ts';
import { relayRegistry } from '../../../src/relay/admin/metrics.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  datagram,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  split,
  statusOf,
  type LogLine,
  type TestRelay,
  loggedLine,
} from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const [friend, stranger] = ['127.0.0.1', '127.0.0.2'];
const onlyFriends = { allowed_sources: [friend] };

/** A relay in front of an echo server; `dials` counts the connections that reached the server. */
async function guarded(
  network: RealmNetwork,
  fields: Partial<RealmEndpoint> = {},
): Promise<TestRelay & { remote: string; dials: () => number; clock: FakeClock }> {
  let dials = 0;
  const clock = new FakeClock();
  const remote = await loopback.tcpRemote((socket) => {
    dials += 1;
    socket.pipe(socket);
  });
  const running = await loopback.relay(config(endpoint(remote, fields, network)), { clock });
  return { ...running, remote, dials: () => dials, clock };
}

/** `127.0.0.1:P` and the like, of a relay that listens on `[::]:P`. */
function reach(relay: TestRelay, host: string): string {
  return `${host}:${String(split(listenOf(relay.relay)).port)}`;
}

function warnings(lines: readonly LogLine[]): LogLine[] {
  return lines.filter(({ msg }) => msg.startsWith('client rejected') || msg.startsWith('datagram dropped'));
}

describe('relay, allowed sources, TCP', () => {
  it('serves clients that allowed_sources names, and resets, counts and logs the others without a dial', async () => {
    const guard = await guarded(onlyFriends);
    const listen = listenOf(guard.relay);
    expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
    expect(await loopback.exchange(loopback.dial(listen, friend), 'hello')).to.equal('hello');
    expect(guard.dials()).to.equal(1);
    const status = statusOf(guard.relay);
    expect(status.connections.total).to.equal(1);
    expect(status.connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
    expect(status.notAllowed).to.deep.equal({ connections: 1, associations: 0 });
    expect(status.refused).to.deep.equal({ connections: 0, associations: 0 });
    const [line, ...more] = warnings(guard.lines);
    expect(more).to.deep.equal([]);
    expect(line).to.deep.include({ level: 'warn', endpoint: 'web', side: 'client' });
    expect(line?.msg).to.equal('client rejected, its address is not in allowed_sources');
    expect(line?.['client']).to.match(/^127\.0\.0\.2:[0-9]+$/);
    expect(guard.relay.status().recentErrors).to.have.length(1);
    const [error] = guard.relay.status().recentErrors;
    expect(error).to.include({ endpoint: 'web', side: 'client', reason: 'SourceNotAllowed', count: 1 });
    expect(error?.remedy).to.contain('allowed_sources');
  });

  const families = [
    { sources: ['127.0.0.0/30'], from: friend, isServed: true, why: 'an IPv4-mapped address counts as IPv4' },
    { sources: ['::ffff:127.0.0.0/126'], from: friend, isServed: true, why: 'so does an IPv4-mapped range' },
    { sources: ['127.0.0.0/30'], from: '::1', isServed: false, why: 'IPv6 is not named' },
    { sources: ['::1'], from: '::1', isServed: true, why: 'IPv6 is named' },
    { sources: ['::/0'], from: friend, isServed: false, why: '::/0 contains no IPv4 address' },
    {
      sources: ['10.0.0.0/8', '::1', friend],
      from: friend,
      isServed: true,
      why: 'every entry of a list counts',
    },
  ];
  for (const { sources, from, isServed, why } of families) {
    it(`${isServed ? 'serves' : 'resets'} ${from} on [::] if ${sources.join(', ')} are allowed: ${why}`, async () => {
      const guard = await guarded({ allowed_sources: sources }, { listen: '[::]:0' });
      const client = loopback.dial(reach(guard, from === '::1' ? '[::1]' : from), from);
      if (isServed) expect(await loopback.exchange(client, 'hello')).to.equal('hello');
      else expect(await failure(client)).to.equal('ECONNRESET');
    });
  }

  it('resets a stranger instead of letting it wait', async () => {
    const guard = await guarded({ ...onlyFriends, max_connections: 1, max_waiting: 1 });
    const listen = listenOf(guard.relay);
    const first = loopback.dial(listen, friend);
    await loopback.exchange(first, 'hello');
    expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
    const next = loopback.dial(listen, friend);
    await eventually('one who waits', () => statusOf(guard.relay).waiting === 1);
    expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
    expect(statusOf(guard.relay)).to.deep.include({
      waiting: 1,
      notAllowed: { connections: 2, associations: 0 },
      refused: { connections: 0, associations: 0 },
    });
    first.end();
    expect(await loopback.exchange(next, 'at last')).to.equal('at last');
  });

  it('resets a stranger before any handshake', async () => {
    const guard = await guarded(onlyFriends, { listen_transport: 'ws;host=a.example;path=/' });
    const client = loopback.dial(listenOf(guard.relay), stranger);
    client.write('a wrong request, which HTTP 400 would answer\r\n\r\n');
    expect(await failure(client)).to.equal('ECONNRESET');
    expect(client.bytesRead).to.equal(0);
    expect(statusOf(guard.relay).connections.total).to.equal(0);
  });

  it('logs twenty of many strangers, and how many more there were', async () => {
    const guard = await guarded(onlyFriends);
    const listen = listenOf(guard.relay);
    await Promise.all(Array.from({ length: 30 }, () => failure(loopback.dial(listen, stranger))));
    guard.clock.advance(10_000);
    expect(warnings(guard.lines).filter(({ level }) => level === 'warn')).to.have.length(20);
    const more = guard.lines.find(({ msg }) => msg === 'similar warnings suppressed');
    expect(more).to.include({ more: 10, endpoint: 'web' });
    expect(statusOf(guard.relay).notAllowed.connections).to.equal(30);
    expect(guard.relay.status().recentErrors[0]?.count).to.equal(30);
  });

  it('survives a client that is gone before it is accepted, whose address is unknown', async () => {
    const guard = await guarded(onlyFriends);
    const { host, port } = split(listenOf(guard.relay));
    const leave = `const s = require('node:net').connect(${String(port)}, '${host}', () => s.resetAndDestroy())`;
    expect(spawnSync(process.execPath, ['-e', leave]).status).to.equal(0); // no event is served meanwhile
    expect(await loopback.exchange(loopback.dial(listenOf(guard.relay), friend), 'hello')).to.equal('hello');
    expect(warnings(guard.lines)).to.deep.equal([]);
  });

  it("uses an endpoint's own list instead of the global one", async () => {
    const remote = await loopback.echo();
    const network = { allowed_sources: [stranger] };
    const endpoints = [
      endpoint(remote, { name: 'own' }, { allowed_sources: [friend] }),
      endpoint(remote, { name: 'global' }),
    ];
    const { relay } = await loopback.relay(relayConfig({ network, endpoints }, 'test').config);
    for (const [name, served, reset] of [
      ['own', friend, stranger],
      ['global', stranger, friend],
    ] as const) {
      expect(await loopback.exchange(loopback.dial(listenOf(relay, name), served), 'hello')).to.equal(
        'hello',
      );
      expect(await failure(loopback.dial(listenOf(relay, name), reset))).to.equal('ECONNRESET');
    }
  });
});

describe('relay, allowed sources, PROXY headers', () => {
  const accepting = { accept_proxy: true, accept_proxy_trusted: [friend] };
  const named = { ...accepting, allowed_sources: ['192.0.2.0/24', '2001:db8::/32'] };
  const destination = { address: '203.0.113.1', port: 443 };
  const header = (version: 1 | 2, address: string): Buffer =>
    proxyHeader(version, { source: { address, port: 1111 }, destination });
  /** A LOCAL header, without addresses. */
  const local = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', 'latin1');

  const cases = [
    { sent: header(1, '192.0.2.9'), isServed: true, what: 'a header of version 1 names an allowed client' },
    { sent: header(2, '192.0.2.9'), isServed: true, what: 'a header of version 2 names an allowed client' },
    {
      sent: header(2, '2001:db8::9'),
      isServed: true,
      what: 'a header of version 2 names an allowed IPv6 client',
    },
    { sent: header(1, '198.51.100.9'), isServed: false, what: 'a header of version 1 names a stranger' },
    { sent: header(2, '198.51.100.9'), isServed: false, what: 'a header of version 2 names a stranger' },
    {
      sent: Buffer.from('PROXY TCP6 ::ffff:c000:209 ::1 1 2\r\n'),
      isServed: true,
      what: 'the header writes an IPv4-mapped address in hexadecimal',
    },
    { sent: local, isServed: false, what: 'the header is LOCAL and the peer is not allowed' },
    {
      sent: Buffer.from('PROXY UNKNOWN\r\n'),
      isServed: false,
      what: 'the header is UNKNOWN and the peer is not allowed',
    },
  ];
  for (const { sent, isServed, what } of cases) {
    it(`${isServed ? 'serves the client' : 'resets the client without a dial'} if ${what}`, async () => {
      const guard = await guarded(named);
      const client = loopback.dial(listenOf(guard.relay), friend);
      const back = isServed ? received(client) : failure(client);
      client.end(Buffer.concat([sent, Buffer.from('hello')]));
      expect(await back).to.equal(isServed ? 'hello' : 'ECONNRESET');
      expect(guard.dials()).to.equal(isServed ? 1 : 0);
      expect(statusOf(guard.relay).notAllowed.connections).to.equal(isServed ? 0 : 1);
    });
  }

  for (const [what, sent] of [
    ['LOCAL', local],
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
  ] as const) {
    it(`serves an allowed peer if its header is ${what}`, async () => {
      const guard = await guarded({ ...accepting, ...onlyFriends });
      const client = loopback.dial(listenOf(guard.relay), friend);
      const back = received(client);
      client.end(Buffer.concat([sent, Buffer.from('hello')]));
      expect(await back).to.equal('hello');
    });
  }

  it('logs the stranger that the header names once, and remembers the error', async () => {
    const guard = await guarded(named);
    const client = loopback.dial(listenOf(guard.relay), friend);
    client.write(header(2, '198.51.100.9'));
    expect(await failure(client)).to.equal('ECONNRESET');
    const line = await loggedLine(guard.lines, 'connection failed');
    expect(line).to.deep.include({ client: '198.51.100.9:1111', side: 'client', upstream: '' });
    expect(line['err']).to.include({ code: 'REALM_SOURCE_NOT_ALLOWED' });
    expect(warnings(guard.lines)).to.deep.equal([]);
    expect(statusOf(guard.relay).connections).to.deep.include({
      total: 1,
      failed: { client: 1, upstream: 0, relay: 0 },
    });
    expect(guard.relay.status().recentErrors.map(({ reason, count }) => [reason, count])).to.deep.equal([
      ['SourceNotAllowed', 1],
    ]);
  });

  it('resets a sender that is not trusted, whatever its header names', async () => {
    const guard = await guarded(named);
    const client = loopback.dial(listenOf(guard.relay), stranger);
    client.write(header(2, '192.0.2.9'));
    expect(await failure(client)).to.equal('ECONNRESET');
    expect(guard.dials()).to.equal(0);
  });

  it('are checked before the handshake of a transport', async () => {
    const guard = await guarded(named, { listen_transport: 'ws;host=a.example;path=/' });
    for (const [address, answer] of [
      ['198.51.100.9', ''],
      ['192.0.2.9', 'HTTP/1.1 400'],
    ] as const) {
      const client = loopback.dial(listenOf(guard.relay), friend);
      const text: string[] = [];
      client.on('data', (part: Buffer) => text.push(part.toString()));
      client.write(Buffer.concat([header(2, address), Buffer.from('a wrong request\r\n\r\n')]));
      await failure(client);
      expect(text.join('').slice(0, 'HTTP/1.1 400'.length)).to.equal(answer);
    }
    expect(statusOf(guard.relay).notAllowed.connections).to.equal(1);
    expect(guard.dials()).to.equal(0);
  });
});

describe('relay, allowed sources, UDP', () => {
  const onlyUdp = { no_tcp: true, use_udp: true };

  it('drops, counts and logs the datagrams of a stranger, which gets no association', async () => {
    const network = { ...onlyUdp, ...onlyFriends };
    const { relay, lines } = await loopback.relay(config(endpoint(await loopback.udpEcho(), {}, network)));
    const { host, port } = split(listenOf(relay));
    const [served, dropped] = [await loopback.udp(friend), await loopback.udp(stranger)];
    for (let i = 0; i < 3; i += 1) dropped.send('x', port, host);
    const answer = datagram(served);
    served.send('hello', port, host);
    expect((await answer).toString()).to.equal('hello');
    await eventually('three', () => statusOf(relay).notAllowed.associations === 3);
    expect(statusOf(relay)).to.deep.include({ notAllowed: { connections: 0, associations: 3 } });
    expect(statusOf(relay).associations.total).to.equal(1);
    const line = warnings(lines)[0];
    expect(line?.msg).to.equal('datagram dropped, its source is not in allowed_sources');
    expect(line).to.deep.include({ client: `127.0.0.2:${String(dropped.address().port)}`, side: 'client' });
    const metrics = await relayRegistry(() => relay.status()).metrics();
    expect(metrics).to.contain(
      'realm_relay_associations_refused_total{endpoint="web",reason="SourceNotAllowed"} 3',
    );
    expect(metrics).to.contain(
      'realm_relay_connections_refused_total{endpoint="web",reason="SourceNotAllowed"} 0',
    );
  });

  it('counts an IPv4-mapped client of a wildcard socket as the IPv4 address', async () => {
    const network = { ...onlyUdp, ...onlyFriends };
    const remote = await loopback.udpEcho();
    const { relay } = await loopback.relay(config(endpoint(remote, { listen: '[::]:0' }, network)));
    const { port } = split(listenOf(relay));
    const [served, dropped] = [await loopback.udp(friend), await loopback.udp('::1')];
    dropped.send('x', port, '::1');
    await eventually('the drop', () => statusOf(relay).notAllowed.associations === 1);
    const answer = datagram(served);
    served.send('hello', port, friend);
    expect((await answer).toString()).to.equal('hello');
  });

  it('a reload ends the associations of clients that are no longer allowed, and no other', async () => {
    const remote = await loopback.udpEcho();
    const { relay, lines } = await loopback.relay(config(endpoint(remote, {}, onlyUdp)));
    const { host, port } = split(listenOf(relay));
    const [stays, goes] = [await loopback.udp(friend), await loopback.udp(stranger)];
    for (const client of [stays, goes]) {
      const answer = datagram(client);
      client.send('hello', port, host);
      await answer;
    }
    await relay.reload(config(endpoint(remote, {}, { ...onlyUdp, ...onlyFriends })));
    expect(statusOf(relay).associations).to.include({ active: 1, total: 2 });
    const ends = lines.filter(({ msg }) => msg === 'association closed');
    expect(ends.map(({ client, end }) => [client, end])).to.deep.equal([
      [`127.0.0.2:${String(goes.address().port)}`, 'NotAllowed'],
    ]);
    goes.send('again', port, host);
    await eventually('the drop', () => statusOf(relay).notAllowed.associations === 1);
    const answer = datagram(stays);
    stays.send('still there', port, host);
    expect((await answer).toString()).to.equal('still there');
    expect(statusOf(relay).associations).to.include({ active: 1, total: 2 });
  });
});

describe('relay, allowed sources, at a reload', () => {
  it('applies a new list to new clients at once, and keeps the socket and open connections', async () => {
    const guard = await guarded({});
    const listen = listenOf(guard.relay);
    const open = loopback.dial(listen, stranger);
    expect(await loopback.exchange(open, 'before')).to.equal('before');
    await guard.relay.reload(config(endpoint(guard.remote, {}, onlyFriends)));
    expect(listenOf(guard.relay)).to.equal(listen); // any free port, so another socket would have another one
    expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
    expect(await loopback.exchange(open, 'after')).to.equal('after');
    await guard.relay.reload(config(endpoint(guard.remote)));
    expect(await loopback.exchange(loopback.dial(listen, stranger), 'again')).to.equal('again');
    expect(statusOf(guard.relay).notAllowed.connections).to.equal(1);
  });

  it('resets waiting clients that are no longer allowed, and serves the others in turn', async () => {
    for (const before of [{}, { ...onlyFriends, accept_proxy: true }]) {
      const guard = await guarded({ ...before, max_connections: 1 });
      const listen = listenOf(guard.relay);
      const first = await loopback.client(listen, friend);
      await eventually('the first', () => statusOf(guard.relay).connections.active === 1);
      const [reset, next] = [await loopback.client(listen, stranger), await loopback.client(listen, friend)];
      await eventually('who waits', () => statusOf(guard.relay).waiting === 2);
      const failed = failure(reset);
      await guard.relay.reload(config(endpoint(guard.remote, {}, { ...onlyFriends, max_connections: 1 })));
      expect(await failed).to.equal('ECONNRESET');
      expect(statusOf(guard.relay)).to.deep.include({
        waiting: 1,
        notAllowed: { connections: 1, associations: 0 },
      });
      first.destroy();
      expect(await loopback.exchange(next, 'at last')).to.equal('at last');
      expect(guard.dials()).to.equal('accept_proxy' in before ? 1 : 2);
    }
  });

  it('reports a wrong range with key, value and remedy, and keeps the previous list', async () => {
    const path = join(loopback.folder(), 'config.json');
    const remote = await loopback.echo();
    const write = (...sources: string[]): void => {
      const only = endpoint(remote, {}, { allowed_sources: sources });
      writeFileSync(path, JSON.stringify({ endpoints: [only] }));
    };
    write(friend);
    const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0']);
    loopback.onClose(() => relay.end());
    await relay.logged('relay started');
    write(friend, '127.0.0.0/33');
    const told = await relay.logged('configuration rejected, keeping the previous one');
    expect(JSON.stringify(told['err'])).to.contain(
      'endpoints[0].network.allowed_sources[1]: is not a range of IP addresses, got \\"127.0.0.0/33\\": write an address',
    );
    const [web] = (await relay.status()).endpoints;
    expect(await failure(loopback.dial(web?.listen ?? '', stranger))).to.equal('ECONNRESET');
    expect(await loopback.exchange(loopback.dial(web?.listen ?? '', friend), 'hello')).to.equal('hello');
  });
});
