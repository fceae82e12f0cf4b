import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { config, failure, received, statusOf, times } from '../loopback.ts';
import { hello, helloMessage, records, serverNames } from '../transport/hellos.ts';
import {
  certificates,
  describeSni,
  greetingOf,
  keeper,
  loopback,
  refusedOf,
  sharing,
  tlsClient,
  tlsRemote,
} from './sni-support.ts';

describeSni('', ({ port, at, start }) => {
  it('leads TLS clients to the backend that their name stands for, each with its own certificate', async () => {
    const [a, b, other] = [
      await tlsRemote('a.example'),
      await tlsRemote('b.example'),
      await tlsRemote('other.example'),
    ];
    const { relay } = await start(
      sharing(port(), {
        a: { remote: a },
        b: { remote: b, sni: { hosts: ['*.b.example', 'B.Example.'] } },
        all: { remote: other, sni: {} },
      }),
    );
    const cases = [
      ['a.example', 'a.example'],
      ['A.EXAMPLE', 'a.example'],
      ['b.example', 'b.example'],
      ['x.b.example', 'b.example'],
      ['y.x.b.example', 'b.example'],
      ['x.a.example', 'other.example'],
      ['unknown.example', 'other.example'],
      ['', 'other.example'],
    ] as const;
    for (const [name, server] of cases) {
      const client = tlsClient(at(), name);
      expect(await greetingOf(client), `"${name}"`).to.equal(server);
      expect(client.getPeerCertificate().subject.CN, `"${name}"`).to.equal(server);
      client.write('and back');
      expect(await greetingOf(client), `"${name}"`).to.equal('and back');
    }
    const counted = ['a', 'b', 'all'].map((name) => statusOf(relay, name).connections.total);
    expect(counted).to.deep.equal([2, 3, 3]);
    const sockets = [{ protocol: 'TCP', address: at(), bound: true, reason: '' }];
    for (const name of ['a', 'b', 'all'])
      expect(statusOf(relay, name)).to.deep.include({ ready: true, listen: at(), sockets });
    expect(statusOf(relay, 'b').sni?.hosts).to.deep.equal(['*.b.example', 'b.example']);
  });

  it('prefers the exact name, then the longest wildcard, which does not stand for the name below it', async () => {
    const remotes = await Promise.all(['exact', 'long', 'short'].map((name) => loopback.greeter(name)));
    const [exact = '', long = '', short = ''] = remotes;
    await start(
      sharing(port(), {
        short: { remote: short, sni: { hosts: ['*.example'] } },
        long: { remote: long, sni: { hosts: ['*.b.example'] } },
        exact: { remote: exact, sni: { hosts: ['x.b.example'] } },
      }),
    );
    const wanted = {
      'x.b.example': 'exact',
      'y.b.example': 'long',
      'z.y.b.example': 'long',
      'b.example': 'short',
      'w.x.b.example': 'long',
    };
    for (const [name, greeting] of Object.entries(wanted)) {
      const client = await loopback.client(at());
      client.write(hello(name));
      expect(await received(client), name).to.equal(greeting);
    }
  });

  it('relays the bytes of the client unchanged, however they are split, and large streams both ways', async () => {
    const { address, got, sockets } = await keeper('hi');
    await start(sharing(port(), { a: { remote: address } }));
    const more = randomBytes(3_000_000);
    const message = helloMessage({ extensions: [serverNames('a.example')] });
    const ways: readonly Buffer[][] = [
      [hello('a.example')],
      [...hello('a.example')].map((byte) => Buffer.from([byte])),
      [...records(message, 1)].map((byte) => Buffer.from([byte])),
      [records(message, 30), Buffer.from('early data')],
      [Buffer.concat([hello('a.example', 16_384), randomBytes(100_000)])],
    ];
    for (const [index, parts] of ways.entries()) {
      const client = await loopback.client(at());
      client.setNoDelay(true);
      for (const part of parts) {
        client.write(part);
        if (parts.length > 2) await new Promise((resolve) => setImmediate(resolve));
      }
      const [greeting] = (await once(client, 'data')) as [Buffer];
      expect(greeting.toString()).to.equal('hi');
      client.write(more);
      const sent = Buffer.concat([...parts, more]);
      await eventually('all of it has arrived', () => Buffer.concat(got[index] ?? []).length === sent.length);
      expect(Buffer.concat(got[index] ?? []).equals(sent)).to.equal(true);
      sockets[index]?.end(more);
      expect((await received.bytes(client)).reduce((sum, { length }) => sum + length, 0)).to.equal(
        more.length,
      );
      client.end();
    }
  });

  it('resets clients with unknown names, and says so', async () => {
    const { relay, lines } = await start(
      sharing(port(), {
        a: { remote: await loopback.greeter('a') },
        b: { remote: await loopback.greeter('b') },
      }),
    );
    for (const name of ['c.example', 'example', 'x.a.example']) {
      const client = await loopback.client(at());
      client.write(hello(name));
      expect(await failure(client), name).to.equal('ECONNRESET');
    }
    expect(await greetingOf(tlsClient(at(), 'c.example'))).to.equal('ECONNRESET');
    expect(await greetingOf(tlsClient(at(), ''))).to.equal('ECONNRESET');
    expect(refusedOf(relay, 'a')).to.deep.equal({ unknownName: 5, invalid: 0, late: 0 });
    expect(refusedOf(relay, 'b'), 'only the first counts them').to.deep.equal({
      unknownName: 0,
      invalid: 0,
      late: 0,
    });
    expect(statusOf(relay, 'a').connections.total).to.equal(0);
    const line = lines.find(({ msg }) => msg === 'client rejected before its endpoint was known');
    expect(line).to.deep.include({ endpoint: 'a', side: 'client', level: 'warn' });
    expect(JSON.stringify(line)).to.contain(
      'asks for the server name \\"c.example\\", which no endpoint serves',
    );
    const [error] = relay.status().recentErrors;
    expect(error).to.include({ endpoint: 'a', reason: 'REALM_SERVER_NAME_UNKNOWN', count: 5 });
    expect(error?.remedy).to.contain('sni.hosts');
  });

  it('resets what is not TLS, malformed or too long, and counts it', async () => {
    const { relay } = await start(sharing(port(), { a: { remote: await loopback.greeter('a') } }));
    const plain = await loopback.client(at());
    plain.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(await failure(plain)).to.equal('ECONNRESET');
    const oversized = await loopback.client(at());
    oversized.write(Buffer.concat([records(Buffer.from([1, 0, 0x40, 0])), randomBytes(200_000)]));
    expect(await failure(oversized)).to.equal('ECONNRESET');
    const malformed = await loopback.client(at());
    malformed.write(records(helloMessage({ ciphers: Buffer.alloc(0) })));
    expect(await failure(malformed)).to.equal('ECONNRESET');
    const half = await loopback.client(at());
    half.end(hello('a.example').subarray(0, 20));
    await received(half);
    expect(refusedOf(relay, 'a')).to.deep.equal({ unknownName: 0, invalid: 4, late: 0 });
    await eventually('nothing is kept of them', () => relay.status().memory.usedBytes === 0);
  });

  it('reads a PROXY header first, and serves by the client that it names', async () => {
    const { address, got } = await keeper('hi');
    const accepting = {
      accept_proxy: true,
      send_proxy: true,
      send_proxy_version: 1,
      allowed_sources: ['192.0.2.0/24'],
    };
    const { relay } = await start(
      sharing(port(), { a: { remote: address }, b: { remote: '127.0.0.1:1' } }, accepting),
    );
    const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n';
    const bytes = Buffer.concat([Buffer.from(header), hello('a.example')]);
    for (const size of [bytes.length, 1]) {
      const client = await loopback.client(at());
      client.setNoDelay(true);
      for (let i = 0; i < bytes.length; i += size) {
        client.write(bytes.subarray(i, i + size));
        if (size === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      await once(client, 'data');
      const index = got.length - 1;
      await eventually('it arrives', () => Buffer.concat(got[index] ?? []).equals(bytes));
    }
    const stranger = await loopback.client(at());
    stranger.write(
      Buffer.concat([Buffer.from(header.replace('192.0.2.7', '203.0.113.7')), hello('a.example')]),
    );
    expect(await failure(stranger)).to.equal('ECONNRESET');
    expect(statusOf(relay, 'a').notAllowed.connections).to.equal(1);
    const headless = await loopback.client(at());
    headless.write(hello('a.example'));
    expect(await failure(headless)).to.equal('ECONNRESET');
    expect(refusedOf(relay, 'a')?.invalid).to.equal(1);
  });

  it('takes new names, and gives them up, without closing the socket or a connection', async () => {
    const [a, b] = [await tlsRemote('a.example'), await tlsRemote('b.example')];
    const { relay, lines } = await start(sharing(port(), { a: { remote: a } }));
    const kept = tlsClient(at(), 'a.example');
    expect(await greetingOf(kept)).to.equal('a.example');
    const early = await loopback.client(at());
    const bytes = hello('b.example');
    early.write(bytes.subarray(0, 40));
    await eventually('it is read', () => relay.status().memory.usedBytes === 40);
    await relay.reload(sharing(port(), { a: { remote: a }, b: { remote: await loopback.greeter('b') } }));
    early.write(bytes.subarray(40));
    expect(await received(early), 'came before, with a name that is new').to.equal('b');
    await relay.reload(sharing(port(), { b: { remote: b }, a: { remote: a } }));
    expect(await greetingOf(tlsClient(at(), 'b.example'))).to.equal('b.example');
    await relay.reload(sharing(port(), { b: { remote: b } }));
    expect(await greetingOf(tlsClient(at(), 'a.example'))).to.equal('ECONNRESET');
    kept.write('still here');
    expect(await greetingOf(kept)).to.equal('still here');
    await relay.reload(config({ name: 'b', listen: at(), remote: await loopback.greeter('plain') }));
    expect(await loopback.greeting(at()), 'no names any more').to.equal('plain');
    expect(times(lines, 'listening'), 'bound once').to.equal(1);
    expect(statusOf(relay, 'b').connections.total, 'one endpoint all the time').to.equal(3);
  });

  it('ends TLS itself where an endpoint has a certificate, beside one that passes it on', async () => {
    const terminating = (name: string): string => {
      const { cert, key } = certificates().of(name);
      return `tls;cert=${cert};key=${key}`;
    };
    await start(
      sharing(port(), {
        a: { remote: await loopback.greeter('plain a'), listen_transport: terminating('a.example') },
        b: { remote: await loopback.greeter('plain b'), listen_transport: terminating('b.example') },
        other: { remote: await tlsRemote('other.example') },
      }),
    );
    for (const [name, greeting] of [
      ['a.example', 'plain a'],
      ['b.example', 'plain b'],
      ['other.example', 'other.example'],
    ] as const) {
      const client = tlsClient(at(), name);
      expect(await greetingOf(client)).to.equal(greeting);
      expect(client.getPeerCertificate().subject.CN).to.equal(name);
    }
  });

  it('passes TLS on through WebSocket towards the remote', async () => {
    const { address, got } = await keeper('');
    await start(sharing(port(), { a: { remote: address, remote_transport: 'ws;host=h;path=/' } }));
    const client = await loopback.client(at());
    client.write(hello('a.example'));
    await eventually('the request arrives', () =>
      Buffer.concat(got[0] ?? [])
        .toString()
        .includes('Upgrade'),
    );
  });

  it('waits at a drain for clients whose name is not known yet, and serves them; close resets them', async () => {
    const { relay } = await start(sharing(port(), { a: { remote: await loopback.greeter('a') } }));
    const bytes = hello('a.example');
    const late = await loopback.client(at());
    late.write(bytes.subarray(0, 9));
    await eventually('it is read', () => relay.status().memory.usedBytes === 9);
    const drained = relay.drain(60_000);
    late.write(bytes.subarray(9));
    expect(await received(late)).to.equal('a');
    late.end();
    expect(await drained).to.deep.equal({ ended: 1, cut: 0 });
    const second = await start(sharing(port(), { a: { remote: await loopback.greeter('a') } }));
    const cut = await loopback.client(at());
    cut.write(bytes.subarray(0, 9));
    await eventually('it is read', () => second.relay.status().memory.usedBytes === 9);
    const [fault] = await Promise.all([failure(cut), second.relay.close()]);
    expect(fault).to.equal('ECONNRESET');
    expect(second.relay.status().memory.usedBytes).to.equal(0);
  });

  it('reports two endpoints with the same name as a conflict, and serves the first', async () => {
    const { relay } = await start(
      sharing(port(), {
        a: { remote: await loopback.greeter('a') },
        b: { remote: await loopback.greeter('b'), sni: { hosts: ['x.example', 'A.example'] } },
      }),
    );
    expect(statusOf(relay, 'b').message).to.equal(
      `endpoints "a" (${at()} for IPv4) and "b" (${at()} for IPv4) cannot share TCP port ${String(port())}: ` +
        'both serve "a.example": remove it from sni.hosts of one of them',
    );
    const client = await loopback.client(at());
    client.write(hello('a.example'));
    expect(await received(client)).to.equal('a');
  });
});
