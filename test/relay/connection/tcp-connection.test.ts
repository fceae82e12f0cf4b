import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { openSockets } from '../../support/open-sockets.ts';
import { freePort } from '../../support/free-port.ts';
import {
  addressText,
  config,
  endpoint,
  failure,
  idle,
  listenOf,
  Loopback,
  noIdleSweep,
  received,
  split,
  statusOf,
  loggedLine,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const big = randomBytes(5 * 1024 * 1024);

describe('relay, TCP', () => {
  it('serves IPv4 and IPv6 of one port from different remotes, with ipv6_only', async () => {
    const port = String(await freePort());
    const [six, four] = [await loopback.greeter('six', '::1'), await loopback.greeter('four')];
    const { relay } = await loopback.relay(
      config(
        endpoint(six, { name: 'v6', listen: `[::]:${port}` }, { ipv6_only: true }),
        endpoint(four, { name: 'v4', listen: `0.0.0.0:${port}` }),
      ),
    );
    expect(
      relay.status().endpoints.map(({ name, families, ready }) => ({ name, families, ready })),
    ).to.deep.equal([
      { name: 'v6', families: ['IPv6'], ready: true },
      { name: 'v4', families: ['IPv4'], ready: true },
    ]);
    expect(await received(await loopback.client(`[::1]:${port}`))).to.equal('six');
    expect(await received(await loopback.client(`127.0.0.1:${port}`))).to.equal('four');
  });

  it('serves with a tcp_timeout and keepalive above what a timer and the system can count', async () => {
    const network = { tcp_timeout: 2 ** 63, tcp_keepalive: 2 ** 32, tcp_keepalive_probe: 2 ** 32 };
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo(), {}, network)));
    expect(await loopback.exchange(await loopback.client(listenOf(relay)), 'x')).to.equal('x');
  });

  it('serves both families on one wildcard socket without ipv6_only, and logs IPv4 clients as IPv4', async () => {
    const { relay, lines } = await loopback.relay(
      config(endpoint(await loopback.greeter('hi'), { listen: '[::]:0' })),
    );
    const { port } = split(listenOf(relay));
    expect(statusOf(relay).families).to.deep.equal(['IPv4', 'IPv6']);
    for (const host of ['127.0.0.1', '[::1]']) {
      const client = await loopback.client(`${host}:${String(port)}`);
      expect(await received(client)).to.equal('hi');
      client.end();
    }
    const closed = await eventually('two lines', () => {
      const found = lines.filter(({ msg }) => msg === 'connection closed');
      return found.length === 2 && found;
    });
    expect(closed.map(({ client }) => String(client).replace(/:\d+$/, ''))).to.have.members([
      '127.0.0.1',
      '[::1]',
    ]);
  });

  it('delivers the whole answer to a client that has ended its side', async () => {
    const remote = await loopback.tcpRemote((socket) => {
      socket.resume().once('end', () => socket.end(big));
    });
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    client.end('question');
    expect(Buffer.concat(await received.bytes(client)).equals(big)).to.be.true;
  });

  it('delivers all that the client sends to a remote that has ended its side', async () => {
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    const remote = await loopback.tcpRemote((socket) => {
      socket.end('greeting');
      void received.bytes(socket).then((parts) => {
        resolve(Buffer.concat(parts));
      });
    });
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    expect(await received(client)).to.equal('greeting');
    client.end(big);
    expect((await promise).equals(big)).to.be.true;
  });

  it("passes a client's reset on to the remote", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const remote = await loopback.tcpRemote((socket) => void failure(socket).then(resolve));
    const { relay, lines } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    await eventually('the upstream', () => statusOf(relay).connections.active === 1);
    client.write('x');
    await eventually('a byte', () => statusOf(relay).connections.fromClientBytes === 1);
    client.resetAndDestroy();
    expect(await promise).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({
      level: 'warn',
      endpoint: 'web',
      side: 'client',
      upstream: remote,
      fromClientBytes: 1,
    });
  });

  it("passes a client's reset on to a remote whose handshake it ends", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<undefined>();
    const remote = await loopback.tcpRemote((socket) => {
      socket.once('data', () => {
        asked.resolve(undefined);
      });
      void failure(socket).then(resolve);
    });
    const remote_transport = 'ws;host=a.example;path=/';
    const { relay } = await loopback.relay(config(endpoint(remote, { remote_transport })));
    const client = await loopback.client(listenOf(relay));
    client.write('x');
    await asked.promise;
    client.resetAndDestroy();
    expect(await promise).to.equal('ECONNRESET');
  });

  it("passes a remote's reset on to the client", async () => {
    const remote = await loopback.tcpRemote((socket) => socket.once('data', () => socket.resetAndDestroy()));
    const { relay, lines } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    client.write('x');
    expect(await failure(client)).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'upstream' });
  });

  it('tries the next remote when one refuses, and logs it', async () => {
    const refused = `127.0.0.1:${String(await freePort())}`;
    const remote = await loopback.greeter('second');
    const { relay, lines } = await loopback.relay(config(endpoint(refused, { extra_remotes: [remote] })));
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('second');
    const line = lines.find(({ msg }) => msg === 'remote failed, trying the next');
    expect(line).to.deep.include({ upstream: refused, level: 'warn' });
  });

  it('resets the client when no remote can be reached', async () => {
    const refused = `127.0.0.1:${String(await freePort())}`;
    const { relay, lines } = await loopback.relay(config(endpoint(refused)));
    expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ upstream: refused, side: 'upstream' });
    expect(statusOf(relay).connections).to.deep.include({
      active: 0,
      total: 1,
      failed: { client: 0, upstream: 1, relay: 0 },
    });
  });

  it('ends a name lookup that takes longer than tcp_timeout', async () => {
    const clock = new FakeClock();
    const { relay } = await loopback.relay(
      config(endpoint('slow.test:1', {}, { ...noIdleSweep, tcp_timeout: 3 })),
      {
        clock,
        lookup: () => new Promise(() => undefined),
      },
    );
    const failed = failure(loopback.dial(listenOf(relay)));
    await eventually('the lookup', () => clock.timers === 1);
    clock.advance(3000);
    expect(await failed).to.equal('ECONNRESET');
  });

  it('tries every address of a name in turn', async () => {
    const { port } = split(await loopback.greeter('found', '127.0.0.7'));
    const { relay } = await loopback.relay(config(endpoint(`many.test:${String(port)}`)), {
      lookup: (host) => Promise.resolve(host === 'many.test' ? ['127.0.0.5', '127.0.0.6', '127.0.0.7'] : []),
    });
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('found');
  });

  it('delivers what the client sent during the name lookup', async () => {
    const { promise: addresses, resolve } = Promise.withResolvers<string[]>();
    const remote = split(await loopback.echo());
    const { relay } = await loopback.relay(config(endpoint(`late.test:${String(remote.port)}`)), {
      lookup: () => addresses,
    });
    const client = await loopback.client(listenOf(relay));
    client.end('early');
    await eventually('the bytes', () => statusOf(relay).connections.fromClientBytes === 5);
    resolve([remote.host]);
    expect(await received(client)).to.equal('early');
  });

  it('reads only a bounded number of bytes while it dials', async () => {
    const { relay } = await loopback.relay(config(endpoint('never.test:1')), {
      lookup: () => new Promise(() => undefined),
    });
    const client = await loopback.client(listenOf(relay));
    client.write(big);
    await eventually('a full hold', () => statusOf(relay).connections.fromClientBytes >= 65_536);
    await idle(client);
    expect(statusOf(relay).connections.fromClientBytes).to.be.at.most(2 * 65_536);
  });

  it('ends the dial when the client resets', async () => {
    const { relay, lines } = await loopback.relay(config(endpoint('never.test:1')), {
      lookup: () => new Promise(() => undefined),
    });
    const client = await loopback.client(listenOf(relay));
    client.write('x'); // without it this is a check of a load balancer
    await eventually('the connection', () => statusOf(relay).connections.fromClientBytes === 1);
    client.resetAndDestroy();
    await eventually('its end', () => statusOf(relay).connections.active === 0);
    expect(lines.find(({ msg }) => msg === 'connection failed')).to.deep.include({
      side: 'client',
      upstream: '',
    });
  });

  it('logs one line per connection, at its end', async () => {
    const remote = await loopback.echo();
    const { relay, lines } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    const from = addressText({ address: client.localAddress ?? '', port: client.localPort ?? 0 });
    client.end('hello');
    expect(await received(client)).to.equal('hello');
    const line = await loggedLine(lines, 'connection closed');
    expect(line).to.deep.include({
      level: 'info',
      endpoint: 'web',
      client: from,
      upstream: remote,
      fromClientBytes: 5,
      fromUpstreamBytes: 5,
    });
    expect(line['durationMs']).to.be.a('number').that.is.at.least(0);
    expect(lines.filter(({ client: each }) => each === from)).to.have.length(1);
  });

  it('frees every socket of connections that have ended', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())));
    const before = openSockets();
    for (let i = 0; i < 50; i += 1) {
      const client = await loopback.client(listenOf(relay));
      client.end('x');
      await received(client);
    }
    await eventually(
      'all closed',
      () => statusOf(relay).connections.active === 0 && openSockets() === before,
    );
    expect(statusOf(relay).connections).to.deep.include({
      total: 50,
      fromClientBytes: 50,
      fromUpstreamBytes: 50,
    });
  });
});
