import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  idle,
  listenOf,
  Loopback,
  received,
  slowHash,
  statusOf,
  unchanged,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, backpressure', () => {
  it('reads from a client no faster than its remote does, and loses nothing', async () => {
    const total = 200 * 1024 * 1024;
    const { promise: hashed, resolve } = Promise.withResolvers<string>();
    let stalled: Socket | undefined;
    const remote = await loopback.tcpRemote((socket) => {
      stalled = socket; // nobody reads yet
      void slowHash(socket, 500).then(resolve);
      socket.pause();
    });
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    const sent = createHash('sha256');
    const chunk = randomBytes(1024 * 1024);
    let sentBytes = 0;
    const send = async (until: number): Promise<void> => {
      while (sentBytes < until && client.writableLength === 0) {
        chunk.writeUInt32BE(sentBytes / chunk.length, 0);
        sent.update(chunk);
        sentBytes += chunk.length;
        if (!client.write(Buffer.from(chunk))) await Promise.race([once(client, 'drain'), idle(client)]);
      }
    };
    await send(total);
    expect(sentBytes).to.be.lessThan(64 * 1024 * 1024); // what fits into the buffers of the kernel
    const { fromClientBytes } = statusOf(relay).connections;
    expect(fromClientBytes).to.be.lessThan(32 * 1024 * 1024);
    stalled?.resume();
    await once(client, 'drain');
    while (sentBytes < total) {
      await send(total);
      if (client.writableLength > 0) await once(client, 'drain');
    }
    client.end();
    expect(await hashed).to.equal(sent.digest('hex'));
    expect(statusOf(relay).connections.fromClientBytes).to.equal(total);
  });

  it('keeps a waiting write intact while other connections read', async () => {
    // All quiet directions share one read buffer, so a waiting write must not point into it.
    let upstream: Socket | undefined;
    const { relay } = await loopback.relay(
      config(
        endpoint(await loopback.tcpRemote((socket) => (upstream = socket)), { name: 'stalled' }),
        endpoint(await loopback.echo(), { name: 'other' }),
      ),
    );
    const stalled = await loopback.client(listenOf(relay, 'stalled'));
    stalled.pause();
    const from = await eventually('the upstream', () => upstream);
    const sent: Buffer[] = [];
    let bytes = 0;
    const arrived = (): number => statusOf(relay, 'stalled').connections.fromUpstreamBytes;
    do {
      sent.push(Buffer.alloc(30_000, `${String(sent.length)} `));
      bytes += 30_000;
      from.write(sent.at(-1) ?? '');
      await unchanged(arrived);
    } while (arrived() === bytes);
    const other = await loopback.client(listenOf(relay, 'other'));
    other.end(Buffer.alloc(30_000, 'other'));
    await received(other);
    from.end();
    stalled.resume();
    expect(Buffer.concat(await received.bytes(stalled)).equals(Buffer.concat(sent))).to.be.true;
  });

  it('delivers a small write that has to wait', async () => {
    // A write below the high-water mark emits no 'drain': it must not stop the pipe for ever.
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    const parts = Array.from({ length: 3000 }, (_, index) => Buffer.alloc(1 + (index % 7000), index % 251));
    let got = 0;
    const total = Buffer.concat(parts).length;
    client.pause();
    for (const part of parts) client.write(part);
    await unchanged(() => statusOf(relay).connections.fromUpstreamBytes + client.bytesWritten);
    client.on('data', (part: Buffer) => (got += part.length)).resume();
    await eventually('every byte', () => got === total);
  });
});
