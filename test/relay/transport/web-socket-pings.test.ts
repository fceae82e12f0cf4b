import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { answerHead } from '../../../src/relay/transport/web-socket-answer.ts';
import { FrameReader } from '../../../src/relay/transport/web-socket-frames.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { describeRustRealm, RustRealm } from '../../support/rust-realm.ts';
import { freePort } from '../../support/free-port.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  noIdleSweep,
  statusOf,
  unchanged,
  type TestRelay,
} from '../loopback.ts';
import { frame, opcodes, requestHead, zeroMask } from './frames.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const ws = 'ws;host=a.example;path=/';

/** The other end of a WebSocket, which counts the pings that it receives. */
class Peer {
  pings = 0;
  text = '';
  bytes = 0;
  readonly socket: Socket;
  readonly #mask: Buffer | undefined;

  /**
   * @param socket    its handshake is done.
   * @param isClient  of the relay, so that it masks its frames.
   */
  constructor(socket: Socket, isClient: boolean, isAnswering = true) {
    this.socket = socket;
    this.#mask = isClient ? zeroMask : undefined;
    const reader = new FrameReader(!isClient, {
      onPing: () => {
        this.pings += 1;
        if (isAnswering) this.send(opcodes.pong);
      },
      onPong: () => undefined,
    });
    socket.on('data', (part: Buffer) => {
      const payload = reader.read(part);
      this.bytes += payload.length;
      if (this.bytes < 100) this.text += payload.toString();
    });
    socket.resume();
  }

  send(opcode: number, payload = ''): void {
    this.socket.write(frame(opcode, payload, this.#mask));
  }

  /** Resolves once it has `count` pings. */
  async pinged(count: number): Promise<void> {
    await eventually(`${String(count)} pings`, () => this.pings === count, { intervalMs: 2 });
  }
}

/** Reads up to the first empty line, and pauses `socket` behind it. */
async function head(socket: Socket): Promise<string> {
  let read = '';
  while (!read.includes('\r\n\r\n')) {
    const next = once(socket, 'data') as Promise<[Buffer]>;
    socket.resume();
    read += (await next)[0].toString('latin1');
    socket.pause();
  }
  const end = read.indexOf('\r\n\r\n') + 4;
  if (read.length > end) socket.unshift(Buffer.from(read.slice(end), 'latin1'));
  return read.slice(0, end);
}

type Running = TestRelay & { readonly clock: FakeClock };

async function running(fields: Partial<RealmEndpoint>, remote: string): Promise<Running> {
  const clock = new FakeClock();
  const fast = { network: { ...noIdleSweep, tcp_timeout: 0 } }; // no other timers
  return { ...(await loopback.relay(config(endpoint(remote, { ...fast, ...fields })), { clock })), clock };
}

/** A relay in front of a WebSocket server, and what is connected through it. */
async function towardsRemote(
  options: string,
  isAnswering = true,
): Promise<Running & { peer: Peer; client: Socket }> {
  const { promise: connected, resolve } = Promise.withResolvers<Socket>();
  const remote = await loopback.tcpRemote(resolve);
  const test = await running({ remote_transport: `${ws}${options}` }, remote);
  const client = await loopback.client(listenOf(test.relay));
  const socket = await connected;
  const request = await head(socket);
  socket.write(answerHead(/^Sec-WebSocket-Key: (.*)$/im.exec(request)?.[1] ?? ''));
  const peer = new Peer(socket, false, isAnswering);
  client.write('x');
  await eventually('the byte', () => peer.text === 'x', { intervalMs: 2 }); // the handshake is done on both sides
  return { ...test, peer, client };
}

/** A WebSocket client of a relay in front of an echo server. */
async function towardsClient(options: string, isAnswering = true): Promise<Running & { peer: Peer }> {
  const test = await running({ listen_transport: `${ws}${options}` }, await loopback.echo());
  const peer = new Peer(await opened(test), true, isAnswering);
  peer.send(opcodes.binary, 'x');
  await eventually('the echo', () => peer.text === 'x', { intervalMs: 2 });
  return { ...test, peer };
}

/** A client whose WebSocket the relay has accepted. */
async function opened({ relay }: TestRelay): Promise<Socket> {
  const socket = await loopback.client(listenOf(relay));
  const key = 'x3JJHMbDL1EzLkh9GBhXDw==';
  socket.write(requestHead({ host: 'a.example', 'sec-websocket-key': key, origin: 'x' }, 'GET / HTTP/1.1'));
  expect(await head(socket)).to.equal(answerHead(key));
  return socket;
}

/** Lets the relay receive what the peer has sent, which `clock` does not show. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const sides = { 'a remote': towardsRemote, 'a client': towardsClient };

describe('relay, WebSocket pings', () => {
  for (const [side, connected] of Object.entries(sides)) {
    it(`to ${side}: one in each interval without a frame, and answers keep the connection`, async () => {
      const { clock, peer, relay } = await connected(';pinginterval=20;pingtimeout=5');
      for (let count = 1; count <= 3; count += 1) {
        clock.advance(count === 1 ? 20_000 : 15_000);
        await peer.pinged(count);
        await settled();
        clock.advance(5000);
      }
      expect(statusOf(relay).connections.active).to.equal(1);
    });

    it(`to ${side}: the connection is reset if no answer comes in time`, async () => {
      const { clock, peer, relay, lines } = await connected(';pinginterval=20;pingtimeout=5', false);
      clock.advance(20_000);
      await peer.pinged(1);
      clock.advance(4999);
      expect(statusOf(relay).connections.active).to.equal(1);
      clock.advance(1);
      await eventually('the end', () => statusOf(relay).connections.active === 0);
      const failed = lines.find(({ msg }) => msg === 'connection failed');
      expect(failed).to.deep.include({ side: side === 'a client' ? 'client' : 'upstream' });
      expect(failed?.['err']).to.deep.include({ code: 'REALM_PING_TIMEOUT' });
    });

    it(`to ${side}: any frame is an answer, and none is sent while frames come`, async () => {
      const { clock, peer } = await connected(';pinginterval=20;pingtimeout=5', false);
      clock.advance(20_000);
      await peer.pinged(1);
      peer.send(opcodes.binary, 'y');
      await settled();
      clock.advance(5000); // the answer is 5 s old
      clock.advance(14_999);
      await settled();
      expect(peer.pings).to.equal(1);
      clock.advance(1);
      await peer.pinged(2);
    });

    it(`to ${side}: none after a close frame, and no timer is left`, async () => {
      const { clock, peer, relay } = await connected(';pinginterval=20;pingtimeout=5');
      peer.send(opcodes.close);
      peer.socket.end();
      await eventually('the end', () => statusOf(relay).connections.active === 0);
      expect(clock.timers).to.equal(0);
    });
  }

  it('to a remote every 30 s by default; a remote that answers no ping is kept', async () => {
    const { clock, peer, client } = await towardsRemote('', false);
    for (let count = 1; count <= 4; count += 1) {
      clock.advance(30_000);
      await peer.pinged(count);
    }
    client.write('still here');
    await eventually('the bytes', () => peer.text === 'xstill here', { intervalMs: 2 });
  });

  it('to a remote by default: one that has answered before, and then no more, is reset after 30 s', async () => {
    const { clock, peer, relay, client } = await towardsRemote('', false);
    clock.advance(30_000);
    await peer.pinged(1);
    peer.send(opcodes.pong);
    await settled();
    clock.advance(30_000);
    await peer.pinged(2);
    const reset = failure(client);
    clock.advance(30_000);
    expect(await reset).to.equal('ECONNRESET');
    await eventually('the end', () => statusOf(relay).connections.failed.upstream === 1);
  });

  it('to a client are off by default, and to a remote with pinginterval=0', async () => {
    for (const { clock } of [await towardsClient(''), await towardsRemote(';pinginterval=0')])
      expect(clock.timers).to.equal(0);
  });

  it('a client that reads nothing for long is not reset: what it is sent has to wait', async () => {
    const big = randomBytes(16 * 1024 * 1024);
    const remote = await loopback.tcpRemote((socket) => socket.write(big));
    const test = await running({ listen_transport: `${ws};pinginterval=20;pingtimeout=5` }, remote);
    const peer = new Peer(await opened(test), true);
    peer.socket.pause();
    await unchanged(() => statusOf(test.relay).connections.fromUpstreamBytes);
    for (let minute = 0; minute < 5; minute += 1) test.clock.advance(60_000);
    peer.socket.resume();
    await eventually('all of it', () => peer.bytes === big.length);
    expect(peer.pings).to.equal(0);
  });
});

describeRustRealm('relay and Rust realm, WebSocket pings', () => {
  it('Realm as the remote is pinged and kept, although it answers none', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const realm = new RustRealm(['-l', listen, '-r', await loopback.echo(), '-a', ws]);
    loopback.onClose(() => realm.end());
    await realm.started(1);
    await eventually('Realm', async () => {
      const probe = loopback.dial(listen);
      return (await Promise.race([once(probe, 'connect').then(() => 'up'), failure(probe)])) === 'up';
    });
    const { relay, clock } = await running({ remote_transport: ws }, listen);
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'a')).to.equal('a');
    for (let count = 0; count < 4; count += 1) {
      clock.advance(30_000);
      await settled();
    }
    expect(await loopback.exchange(client, 'b')).to.equal('b');
  });
});
