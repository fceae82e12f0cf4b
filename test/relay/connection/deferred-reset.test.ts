import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import { systemClock, type Clock } from '../../../src/lib/clock.ts';
import { procAddress, procSockets, type ProcSocket } from '../../../src/relay/net/proc-net.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { steadyFor } from '../../support/steady.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  loggedLine,
  Loopback,
  noIdleSweep,
  statusOf,
  times,
} from '../loopback.ts';
import type { TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Everything that `socket` receives, and how it ends. */
async function outcome(socket: Socket): Promise<{ bytes: Buffer; end: string }> {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  const end = await failure(socket);
  return { bytes: Buffer.concat(parts), end };
}

describe('relay, a side that resets right after it has sent', () => {
  /** A relay with a client and, once the client's first byte arrived, the remote's socket. */
  async function joined(
    clock: Clock = systemClock,
  ): Promise<TestRelay & { client: Socket; upstream: Socket }> {
    const { promise, resolve } = Promise.withResolvers<Socket>();
    const remote = await loopback.tcpRemote((socket) => {
      socket.once('data', () => {
        socket.pause();
        resolve(socket);
      });
    });
    const relay = await loopback.relay(config(endpoint(remote, {}, noIdleSweep)), { clock });
    const client = await loopback.client(listenOf(relay.relay));
    client.write('x');
    return { ...relay, client, upstream: await promise };
  }

  /** Sends 1 MiB, then resets once the relay has read it. */
  async function sendAndReset(from: Socket, read: () => number): Promise<Buffer> {
    const sent = randomBytes(1024 * 1024);
    from.write(sent);
    await eventually('what was sent', () => read() >= sent.length);
    from.resetAndDestroy();
    return sent;
  }

  it('an upstream: the client receives the whole answer before the reset', async () => {
    const { relay, lines, client, upstream } = await joined();
    client.pause(); // most of it has to wait in the relay and in the kernel
    const sent = await sendAndReset(upstream, () => statusOf(relay).connections.fromUpstreamBytes);
    const got = await outcome(client);
    expect(got.end).to.equal('ECONNRESET');
    expect(got.bytes.equals(sent)).to.be.true;
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'upstream', fromUpstreamBytes: sent.length });
  });

  it('a client: the remote receives everything before the reset', async () => {
    const { relay, lines, client, upstream } = await joined();
    const sent = await sendAndReset(client, () => statusOf(relay).connections.fromClientBytes);
    const got = await outcome(upstream);
    expect(got.end).to.equal('ECONNRESET');
    expect(got.bytes.equals(sent)).to.be.true;
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'client', fromClientBytes: sent.length + 1 });
  });

  type Ports = { readonly localPort?: number | undefined; readonly remotePort?: number | undefined };

  /** The relay's socket towards the client with these ports, as the kernel lists it. Others may have a client with the same port. */
  async function towards({ localPort = 0, remotePort = 0 }: Ports): Promise<ProcSocket | undefined> {
    const [client, own] = [localPort, remotePort].map((port) => procAddress('127.0.0.1', port));
    return (await procSockets('tcp')).find(({ local, remote }) => local === own && remote === client);
  }

  /** A relay that holds an answer for a client which does not read and has received what it has room for; the upstream has reset. */
  async function waiting(): Promise<TestRelay & { client: Socket; clock: FakeClock }> {
    const clock = new FakeClock();
    const { relay, lines, client, upstream } = await joined(clock);
    client.pause();
    await sendAndReset(upstream, () => statusOf(relay).connections.fromUpstreamBytes);
    await eventually('the waiting', () => clock.timers === 1);
    const isSteady = steadyFor(3);
    await eventually('a client without room', async () => {
      const socket = await towards(client);
      return socket !== undefined && isSteady(socket.unsentBytes);
    });
    return { relay, lines, client, clock };
  }

  /** Lets time pass until the connection has ended, no further than the relay has looked. @returns how long that took. */
  async function ended({ relay, lines, clock }: TestRelay & { clock: FakeClock }): Promise<number> {
    const sinceMs = clock.monotonicMs();
    const isOver = (): boolean => times(lines, 'connection failed') === 1;
    while (!isOver()) {
      clock.advance(100);
      await eventually('its next look', () => isOver() || clock.timers === 1, { intervalMs: 1 });
    }
    expect(clock.timers).to.equal(0);
    expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 1, relay: 0 });
    return clock.monotonicMs() - sinceMs;
  }

  it('resets the other side after five seconds in which it received nothing', async () => {
    const relay = await waiting();
    expect(await ended(relay)).to.be.within(5000, 6000);
    expect(await failure(relay.client)).to.equal('ECONNRESET');
  });

  it('stops waiting when the other side resets, too', async () => {
    const relay = await waiting();
    const { localPort, remotePort } = relay.client;
    relay.client.resetAndDestroy();
    await eventually('the reset', async () => (await towards({ localPort, remotePort })) === undefined);
    expect(await ended(relay)).to.be.lessThan(2000);
  });

  it('stops waiting when the relay closes', async () => {
    const { relay, lines, client, clock } = await waiting();
    await relay.close();
    expect([clock.timers, await failure(client)]).to.deep.equal([0, 'ECONNRESET']);
    expect(lines.filter(({ msg }) => msg === 'connection failed')).to.have.length(1);
  });
});
