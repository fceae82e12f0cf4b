import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { openSockets } from '../../support/open-sockets.ts';
import { freePort } from '../../support/free-port.ts';
import { engines } from '../engines.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  statusOf,
  type TestRelay,
  loggedLine,
  slowHash,
  unchanged,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const chunk = randomBytes(1024 * 1024);

/** Sends `chunk` `chunks` times, each numbered, as fast as the peer accepts them. @returns the hash of all. */
async function send(socket: Socket, chunks: number): Promise<string> {
  const hash = createHash('sha256');
  for (let i = 0; i < chunks; i += 1) {
    const part = Buffer.from(chunk);
    part.writeUInt32BE(i, 0);
    hash.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  socket.end();
  return hash.digest('hex');
}

for (const engine of engines) {
  describe(`relay, TCP, engine ${engine.name}`, () => {
    const relayTo = (remote: string): Promise<TestRelay> =>
      loopback.relay(config(endpoint(remote)), { engine });

    it('carries 96 MiB both ways at once past slow readers, unchanged', async () => {
      const upstream = Promise.withResolvers<{ sent: string; got: string }>();
      const remote = await loopback.tcpRemote((socket) => {
        void Promise.all([send(socket, 96), slowHash(socket)]).then(([sent, got]) => {
          upstream.resolve({ sent, got });
        });
      });
      const { relay } = await relayTo(remote);
      const client = await loopback.client(listenOf(relay));
      const [sent, got] = await Promise.all([send(client, 96), slowHash(client)]);
      expect(await upstream.promise).to.deep.equal({ sent: got, got: sent });
      await eventually('its end', () => statusOf(relay).connections.active === 0);
      expect(statusOf(relay).connections).to.deep.include({
        fromClientBytes: 96 * chunk.length,
        fromUpstreamBytes: 96 * chunk.length,
        failed: { client: 0, upstream: 0, relay: 0 },
      });
    });

    it('delivers everything to a slow reader before it ends the stream', async () => {
      const remote = await loopback.tcpRemote((socket) => void send(socket.resume(), 16));
      const { relay } = await relayTo(remote);
      const client = await loopback.client(listenOf(relay));
      client.end();
      await eventually('a full pipe', () => statusOf(relay).connections.fromUpstreamBytes > chunk.length);
      expect(Buffer.concat(await received.bytes(client)).length).to.equal(16 * chunk.length);
      await eventually('its end', () => statusOf(relay).connections.active === 0);
      expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
    });

    for (const side of ['client', 'upstream'] as const) {
      it(`passes on a reset by the ${side} in the middle of a stream`, async () => {
        const accepted = Promise.withResolvers<Socket>();
        const { relay } = await relayTo(await loopback.tcpRemote(accepted.resolve));
        const client = await loopback.client(listenOf(relay));
        const upstream = await accepted.promise;
        const [from, to] = side === 'client' ? [client, upstream] : [upstream, client];
        const failed = failure(to);
        from.write(Buffer.concat(Array.from({ length: 8 }, () => chunk)));
        const bytes = (): number => {
          const { fromClientBytes, fromUpstreamBytes } = statusOf(relay).connections;
          return fromClientBytes + fromUpstreamBytes;
        };
        await eventually('a byte', () => bytes() > 0);
        from.resetAndDestroy();
        expect(await failed).to.equal('ECONNRESET');
        await eventually('its end', () => statusOf(relay).connections.failed[side] === 1);
      });
    }

    it('resets a client that reads nothing when the relay closes', async () => {
      const remote = await loopback.tcpRemote((socket) => void send(socket, 64).catch(() => undefined));
      const { relay } = await relayTo(remote);
      const client = await loopback.client(listenOf(relay));
      client.end();
      await eventually('a byte', () => statusOf(relay).connections.fromUpstreamBytes > 0);
      await unchanged(() => statusOf(relay).connections.fromUpstreamBytes);
      await relay.close();
      expect(await failure(client)).to.equal('ECONNRESET');
      expect(statusOf(relay).connections.failed.relay).to.equal(1);
    });

    it('logs the address that it could not connect to', async () => {
      const refused = `127.0.0.1:${String(await freePort())}`;
      const { relay, lines } = await relayTo(refused);
      await failure(loopback.dial(listenOf(relay)));
      const line = await loggedLine(lines, 'connection failed');
      expect(JSON.stringify(line['err'])).to.contain(`connect ECONNREFUSED ${refused}`);
    });

    it('leaves no socket open', async () => {
      const { relay } = await relayTo(await loopback.echo());
      const before = openSockets();
      for (let i = 0; i < 20; i += 1) {
        const client = await loopback.client(listenOf(relay));
        client.end('x');
        expect(await received(client)).to.equal('x');
      }
      await eventually('all closed', () => openSockets() === before);
      expect(statusOf(relay).connections).to.deep.include({ active: 0, total: 20 });
    });
  });
}
