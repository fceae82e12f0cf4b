import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayOptions } from '../../../src/relay/server.ts';
import { eventually } from '../../support/eventually.ts';
import { engines } from '../engines.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { config, endpoint, listenOf, Loopback, received, statusOf } from '../loopback.ts';
import type { TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

type Timed = TestRelay & { readonly clock: FakeClock };

/** How a client goes away. */
const ways: Readonly<Record<string, (client: Socket) => void>> = {
  'resets the connection': (client) => client.resetAndDestroy(),
  'ends its side and then resets the connection': (client) => {
    client.end(() => client.resetAndDestroy());
  },
};

/** Lets seconds pass until `holds`, fewer than the idle limits have. */
async function passUntil(clock: FakeClock, what: string, holds: () => boolean): Promise<void> {
  let seconds = 0;
  await eventually(
    what,
    () => {
      if (holds()) return true;
      if (seconds < 200) clock.advance(1000);
      seconds += 1;
      return false;
    },
    { intervalMs: 5 },
  );
}

/** Resolves when the client's bytes do not move any more. */
async function stalled({ relay }: TestRelay): Promise<void> {
  let before = -1;
  await eventually('a stall', () => {
    const { fromClientBytes } = statusOf(relay).connections;
    const isStalled = fromClientBytes > 0 && fromClientBytes === before;
    before = fromClientBytes;
    return isStalled;
  });
}

for (const engine of engines) {
  async function timed(
    remote: string,
    network: RealmNetwork = {},
    options: Partial<RelayOptions> = {},
  ): Promise<Timed> {
    const clock = new FakeClock();
    const only = config(endpoint(remote, {}, network));
    return { ...(await loopback.relay(only, { clock, engine, ...options })), clock };
  }

  describe(`relay, a client that is gone, engine ${engine.name}`, () => {
    /** A relay whose only place is taken, and how many clients its remote has seen. */
    async function full(): Promise<Timed & { holder: Socket; seen: () => number }> {
      let seen = 0;
      const remote = await loopback.tcpRemote((socket) => {
        seen += 1;
        socket.pipe(socket);
      });
      const relay = await timed(remote, { max_connections: 1 });
      const holder = await loopback.client(listenOf(relay.relay));
      holder.write('x');
      await once(holder, 'data');
      return { ...relay, holder, seen: () => seen };
    }

    for (const [way, leave] of Object.entries(ways)) {
      it(`leaves the queue if it ${way}`, async () => {
        const { relay, clock } = await full();
        const client = await loopback.client(listenOf(relay));
        await eventually('it waits', () => statusOf(relay).waiting === 1, { intervalMs: 2 });
        leave(client);
        await passUntil(clock, 'an empty queue', () => statusOf(relay).waiting === 0);
        expect(statusOf(relay).refused.connections).to.equal(0);
      });

      it(`ends its connection if it ${way} while its remote is dialled`, async () => {
        const never = { lookup: () => new Promise<never>(() => undefined) };
        const { relay, clock } = await timed('never.example:1', { tcp_timeout: 0 }, never);
        const client = await loopback.client(listenOf(relay));
        client.write('x');
        await eventually('it', () => statusOf(relay).connections.fromClientBytes === 1, { intervalMs: 2 });
        leave(client);
        await passUntil(clock, 'its end', () => statusOf(relay).connections.failed.client === 1);
      });
    }

    it('is not served when its turn comes', async () => {
      const { relay, holder, seen } = await full();
      const gone = await loopback.client(listenOf(relay));
      await eventually('it waits', () => statusOf(relay).waiting === 1, { intervalMs: 2 });
      const stays = await loopback.client(listenOf(relay));
      await eventually('both wait', () => statusOf(relay).waiting === 2, { intervalMs: 2 });
      gone.resetAndDestroy();
      await once(gone, 'close');
      holder.destroy();
      stays.write('hello');
      const [answer] = (await once(stays, 'data')) as [Buffer];
      expect(answer.toString()).to.equal('hello');
      expect(seen()).to.equal(2);
    });

    it('is served if it has only ended its side in the queue and waits for its answer', async () => {
      const { relay, clock, holder } = await full();
      const client = await loopback.client(listenOf(relay));
      client.end('request');
      await eventually('it waits', () => statusOf(relay).waiting === 1, { intervalMs: 2 });
      clock.advance(60_000);
      expect(statusOf(relay).waiting).to.equal(1);
      holder.destroy();
      expect(await received(client)).to.equal('request');
    });

    it('ends its connection while its remote does not read', async () => {
      const remote = await loopback.tcpRemote((socket) => socket.pause());
      const relay = await timed(remote);
      const client = await loopback.client(listenOf(relay.relay));
      client.write(Buffer.alloc(64 * 1024 * 1024));
      await stalled(relay);
      client.resetAndDestroy();
      await passUntil(relay.clock, 'its end', () => statusOf(relay.relay).connections.failed.client === 1);
    });

    it('ends its connection after it had ended its side, while its remote is silent', async () => {
      const { promise, resolve } = Promise.withResolvers<Socket>();
      const { relay, clock } = await timed(await loopback.tcpRemote(resolve));
      const client = await loopback.client(listenOf(relay));
      const ended = promise.then((upstream) => once(upstream.resume(), 'end'));
      client.end('request');
      await ended;
      client.resetAndDestroy();
      await passUntil(clock, 'its end', () => statusOf(relay).connections.failed.client === 1);
    });
  });
}

describe('relay, a client that is gone, TLS', () => {
  it('ends its connection while its remote does not read', async () => {
    const clock = new FakeClock();
    const remote = await loopback.tcpRemote((socket) => socket.pause());
    const only = endpoint(remote, { listen_transport: 'tls;servername=relay.example' });
    const running = await loopback.relay(config(only), { clock });
    const socket = await loopback.client(listenOf(running.relay));
    const client = connectTls({ socket, rejectUnauthorized: false });
    client.on('error', () => undefined);
    await once(client, 'secureConnect');
    client.write(Buffer.alloc(64 * 1024 * 1024));
    await stalled(running);
    socket.resetAndDestroy();
    await passUntil(clock, 'its end', () => statusOf(running.relay).connections.failed.client === 1);
  });
});
