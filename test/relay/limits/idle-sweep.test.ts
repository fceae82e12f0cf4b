import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  noIdleSweep,
  received,
  statusOf,
  type TestRelay,
  loggedLine,
  unchanged,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

type Timed = TestRelay & { readonly clock: FakeClock };

async function timed(
  remote: string,
  network: RealmNetwork,
  fields: Partial<RealmEndpoint> = {},
): Promise<Timed> {
  const clock = new FakeClock();
  return { ...(await loopback.relay(config(endpoint(remote, fields, network)), { clock })), clock };
}

describe('relay, idle TCP connections', () => {
  it('end after tcp_idle_timeout, counted and logged', async () => {
    const { relay, lines, clock } = await timed(await loopback.echo(), { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    await loopback.exchange(client, 'x');
    const failed = failure(client);
    clock.advance(10_000);
    expect(statusOf(relay).connections.active).to.equal(1); // the first sweep saw a byte
    clock.advance(1000);
    expect(await failed).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'relay', durationMs: 11_000 });
    expect(line['err']).to.deep.include({
      code: 'REALM_CONNECTION_IDLE',
      message: 'idle for 10 s',
    });
    expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 1 });
    clock.advance(1000);
    expect(clock.timers).to.equal(0);
  });

  it('go on while bytes come within the timeout', async () => {
    const { relay, clock } = await timed(await loopback.echo(), { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    for (let i = 0; i < 5; i += 1) {
      expect(await loopback.exchange(client, 'x')).to.equal('x');
      clock.advance(9000);
    }
  });

  it('end while the remote does not read, too', async () => {
    const remote = await loopback.tcpRemote((socket) => socket.pause());
    const { relay, clock } = await timed(remote, { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    client.write(Buffer.alloc(64 * 1024 * 1024));
    await eventually('a byte', () => statusOf(relay).connections.fromClientBytes > 0);
    await unchanged(() => statusOf(relay).connections.fromClientBytes);
    clock.advance(11_000);
    expect(await failure(client)).to.equal('ECONNRESET');
  });

  it('end sooner after one side has ended, with tcp_half_close_timeout', async () => {
    const remote = await loopback.tcpRemote((socket) => socket.end('bye'));
    const { relay, clock } = await timed(remote, { tcp_half_close_timeout: 2 });
    const client = await loopback.client(listenOf(relay));
    expect(await received(client)).to.equal('bye');
    clock.advance(2200);
    await eventually('the end', () => statusOf(relay).connections.failed.relay === 1);
  });

  it('end by the timeout that a reload sets', async () => {
    const remote = await loopback.echo();
    const { relay, clock } = await timed(remote, noIdleSweep);
    const client = await loopback.client(listenOf(relay));
    await loopback.exchange(client, 'x');
    expect(clock.timers).to.equal(0);
    await relay.reload(config(endpoint(remote, {}, { tcp_idle_timeout: 5 })));
    const failed = failure(client);
    clock.advance(5500);
    expect(await failed).to.equal('ECONNRESET');
  });
});

const clients = {
  'plain TCP': { fields: {}, connect: (listen: string) => loopback.client(listen) },
  TLS: {
    fields: { listen_transport: 'tls;servername=relay.example' },
    connect: async (listen: string): Promise<Socket> => {
      const client = connectTls({ socket: await loopback.client(listen), rejectUnauthorized: false });
      client.on('error', () => undefined);
      await once(client, 'secureConnect');
      return client;
    },
  },
};

for (const [how, { fields, connect }] of Object.entries(clients)) {
  describe(`relay, a client that has ended its side, ${how}`, () => {
    type HalfClosed = Timed & { readonly client: Socket; readonly upstream: Socket };

    /** A client that was silent for `silentMs`, then ended its side, of which its remote knows. */
    async function halfClosed(network: RealmNetwork, silentMs = 0): Promise<HalfClosed> {
      const { promise, resolve } = Promise.withResolvers<Socket>();
      const remote = await loopback.tcpRemote(resolve);
      const running = await timed(remote, network, fields);
      const client = await connect(listenOf(running.relay));
      client.write('x');
      const upstream = await promise;
      await once(upstream, 'data');
      running.clock.advance(silentMs);
      const ended = once(upstream, 'end');
      client.end();
      upstream.resume();
      await ended;
      return { ...running, client, upstream };
    }

    /** Resolves when the client has got something more of its remote. */
    async function served({ client, upstream }: HalfClosed): Promise<void> {
      const got = once(client, 'data');
      upstream.write('more');
      await got;
    }

    it('is ended once its remote was silent for 300 s, unless the configuration states another limit', async () => {
      const relay = await halfClosed({});
      relay.clock.advance(299_999);
      await served(relay);
      const failed = failure(relay.client);
      relay.clock.advance(360_000);
      expect(await failed).to.equal('ECONNRESET');
      const line = await eventually('the line', () =>
        relay.lines.find(({ msg }) => msg === 'connection failed'),
      );
      expect(line['err']).to.include({ code: 'REALM_CONNECTION_IDLE' });
      expect(line['err'])
        .to.have.property('message')
        .that.matches(/^idle for 3[0-9]{2} s after one side ended$/);
    });

    it('gets a download that takes far longer, as long as bytes come', async () => {
      const relay = await halfClosed({});
      for (let part = 0; part < 5; part += 1) {
        await served(relay);
        relay.clock.advance(290_000);
      }
      const got = received(relay.client);
      relay.upstream.end('the end');
      expect(await got).to.equal('the end');
    });

    it('has its time from its end on, however long all was silent before', async () => {
      const relay = await halfClosed({}, 3_600_000);
      relay.clock.advance(299_999);
      await served(relay);
    });

    it('may wait for ever with tcp_half_close_timeout 0', async () => {
      const relay = await halfClosed({ tcp_half_close_timeout: 0 });
      relay.clock.advance(86_400_000);
      await served(relay);
    });

    it('is ended by tcp_idle_timeout where that is sooner', async () => {
      const relay = await halfClosed({ tcp_idle_timeout: 60 });
      const failed = failure(relay.client);
      relay.clock.advance(70_000);
      expect(await failed).to.equal('ECONNRESET');
    });
  });
}
