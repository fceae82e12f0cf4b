import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { totalmem } from 'node:os';
import { expect } from 'chai';
import { MemoryBudget, memoryBudgetBytes } from '../../../src/relay/limits/memory-budget.ts';
import { RecentErrors } from '../../../src/relay/stats/recent-errors.ts';
import { eventually } from '../../support/eventually.ts';
import { whereClientsWait } from '../engines.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { memoryBudget } from '../../support/memory-budget.ts';
import { config, datagram, endpoint, idle, keptLog, listenOf, Loopback, split } from '../loopback.ts';
import { statusOf } from '../loopback.ts';
import type { LogLine } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const mebibyte = 1024 * 1024;
const usedUp = 'memory budget used up, dropping waiting datagrams or keeping new TCP clients waiting';

function times(lines: readonly LogLine[], wanted: string): number {
  return lines.filter(({ msg }) => msg === wanted).length;
}

describe('memory budget', () => {
  const defaults = [
    { why: 'no limit', threads: 1, limit: 0, budget: 256 },
    { why: 'more than the machine has is no limit', threads: 1, limit: 2 * totalmem(), budget: 256 },
    { why: 'half of what a limit leaves', threads: 1, limit: 256 * mebibyte, budget: 80 },
    { why: 'further threads need some themselves', threads: 2, limit: 256 * mebibyte, budget: 68 },
    { why: 'threads share it', threads: 4, limit: 0, budget: 256 },
    { why: 'a small limit leaves little', threads: 1, limit: 64 * mebibyte, budget: 16 },
  ];
  for (const { why, threads, limit, budget } of defaults) {
    it(`is ${String(budget)} MiB by default: ${why}`, () => {
      expect(memoryBudgetBytes(threads, limit)).to.equal(budget * mebibyte);
    });
  }

  it('drops what has waited longest, and never what is taken', () => {
    const budget = memoryBudget(800);
    const dropped: string[] = [];
    const hold = (name: string, bytes: number): { resize: (bytes: number) => void } => {
      const holding = budget.hold(() => dropped.push(name));
      holding.resize(bytes);
      return holding;
    };
    const first = hold('first', 30);
    hold('second', 30);
    hold('third', 30);
    first.resize(0); // answered
    first.resize(30); // and waits again: it is the newest
    expect(budget.use.usedBytes).to.equal(90);
    hold('fourth', 30); // an eighth of 800 is 100
    expect(dropped).to.deep.equal(['second']);
    budget.take(730);
    expect(dropped).to.deep.equal(['second', 'third']);
    hold('too large', 71);
    expect(dropped).to.deep.equal(['second', 'third', 'first', 'fourth', 'too large']);
    expect(budget.use).to.deep.equal({ budgetBytes: 800, usedBytes: 730, dropped: 5 });
    budget.release(730);
    expect(budget.use.usedBytes).to.equal(0);
  });

  it('is tight at half, short when used up, and no longer short once an eighth is free', () => {
    const budget = memoryBudget(800);
    let changes = 0;
    budget.watch(() => (changes += 1));
    const steps = [
      { bytes: 399, expected: [false, false, 0] },
      { bytes: 1, expected: [true, false, 0] },
      { bytes: 400, expected: [true, true, 1] },
      { bytes: -100, expected: [true, true, 1] },
      { bytes: -1, expected: [true, false, 2] },
      { bytes: -300, expected: [false, false, 2] },
    ];
    for (const { bytes, expected } of steps) {
      if (bytes > 0) budget.take(bytes);
      else budget.release(-bytes);
      expect([budget.isTight, budget.isShort, changes]).to.deep.equal(expected);
    }
  });

  it('logs an incident once when it starts and once when it ends', () => {
    const [clock, { log, lines }] = [new FakeClock(), keptLog()];
    const errors = new RecentErrors(clock);
    const budget = new MemoryBudget({ budgetBytes: 80, log, clock, errors });
    for (let i = 0; i < 5; i += 1) budget.hold(() => undefined).resize(6);
    expect(times(lines, usedUp)).to.equal(1);
    expect(errors.list[0]).to.deep.include({ reason: 'MemoryShort', count: 4 });
    clock.advance(60_000);
    expect(lines.at(-1)).to.deep.include({ msg: 'memory available again', dropped: 4 });
  });
});

describe('relay, memory budget, UDP', () => {
  const onlyUdp = { no_tcp: true, use_udp: true };

  /** A relay whose lookup of the remote's name ends with the address of an echo server when `found` is called. */
  async function lookingUp(memoryBytes: number, remotes: Partial<{ extra_remotes: string[] }> = {}) {
    const remote = split(await loopback.udpEcho());
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const relay = await loopback.relay(
      config(endpoint(`echo.example:${String(remote.port)}`, remotes, onlyUdp)),
      { lookup: () => promise, memoryBytes, clock: new FakeClock() },
    );
    const found = (): void => {
      resolve([remote.host]);
    };
    return { ...relay, found };
  }

  it('drops the datagrams that have waited longest for a lookup', async () => {
    const { relay, lines, found } = await lookingUp(400_000);
    const { host, port } = split(listenOf(relay));
    const clients = [];
    const answered: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const client = await loopback.udp('127.0.0.1', () => answered.push(i));
      client.send(Buffer.alloc(6000), port, host);
      clients.push(client);
      await eventually('it', () => statusOf(relay).associations.total === i + 1, { intervalMs: 1 });
    }
    expect(relay.status().memory).to.deep.equal({ budgetBytes: 400_000, usedBytes: 49_600, dropped: 12 });
    expect(times(lines, usedUp)).to.equal(1);
    found();
    await eventually('the answers', () => answered.length === 8, { intervalMs: 2 });
    expect(answered.toSorted((a, b) => a - b)).to.deep.equal([12, 13, 14, 15, 16, 17, 18, 19]);
    expect(relay.status().memory.usedBytes).to.equal(0);
    const first = clients[0] ?? createSocket('udp4');
    const answer = datagram(first);
    first.send('again', port, host);
    expect((await answer).toString()).to.equal('again');
  });

  it('keeps at most 368 KiB of one client, and always its first datagram', async () => {
    const { relay, found } = await lookingUp(8 * mebibyte);
    const { host, port } = split(listenOf(relay));
    const client = await loopback.udp();
    const kept = [65_000, 60_000, 60_000, 60_000, 60_000, 60_000, 500];
    const sent = [...kept, 20_000, 1]; // the larger one does not fit any more
    for (const bytes of sent)
      await new Promise((resolve) => {
        client.send(Buffer.alloc(bytes), port, host, resolve);
      });
    const sum = (all: readonly number[]): number => all.reduce((total, bytes) => total + bytes, 0);
    await eventually('all', () => statusOf(relay).associations.fromClientBytes === sum(sent), {
      intervalMs: 1,
    });
    const passed = sum(kept) + 1;
    expect(relay.status().memory).to.deep.include({
      usedBytes: passed + (kept.length + 1) * 200,
      dropped: 0,
    });
    found();
    await eventually('the rest', () => relay.status().memory.usedBytes === 0, { intervalMs: 2 });
    expect(statusOf(relay).health.UDP[0]).to.include({ fromClientBytes: passed });
  });

  it('keeps a datagram that was sent only if there is another remote to try, until the first answer', async () => {
    const silent = await loopback.udp();
    const remote = `127.0.0.1:${String(silent.address().port)}`;
    const other = await loopback.udpEcho();
    const { relay } = await loopback.relay(
      config(
        endpoint(remote, { name: 'one' }, onlyUdp),
        endpoint(remote, { name: 'two', extra_remotes: [other], balance: 'off' }, onlyUdp),
      ),
    );
    const used: number[] = [];
    for (const name of ['one', 'two']) {
      const { host, port } = split(listenOf(relay, name));
      const arrived = once(silent, 'message');
      (await loopback.udp()).send(Buffer.alloc(1000), port, host);
      const [, from] = (await arrived) as [Buffer, { address: string; port: number }];
      used.push(relay.status().memory.usedBytes);
      silent.send('answer', from.port, from.address);
      await eventually('the answer', () => statusOf(relay, name).associations.fromUpstreamBytes > 0);
    }
    expect([...used, relay.status().memory.usedBytes]).to.deep.equal([0, 1200, 0]);
  });
});

describe('relay, memory budget, TCP', () => {
  /** A remote that sends without end, whether it is read or not. */
  function endless(): Promise<string> {
    const part = Buffer.alloc(65_536);
    return loopback.tcpRemote((socket) => {
      const fill = (): void => {
        while (!socket.destroyed && socket.write(part));
      };
      socket.on('drain', fill);
      fill();
    });
  }

  /** A client that reads nothing. */
  async function slowReader(address: string): Promise<Socket> {
    const client = await loopback.client(address);
    client.pause();
    return client;
  }

  whereClientsWait.it(
    'new clients wait in the kernel while slow readers use all of it, and are served once it is free',
    async () => {
      const slow = endpoint(await endless(), { name: 'slow' });
      const fine = endpoint(await loopback.echo(), { name: 'fine' });
      const { relay, lines } = await loopback.relay(config(slow, fine), { memoryBytes: 20_000 });
      const readers = [await slowReader(listenOf(relay, 'slow'))];
      let [polls, before] = [0, 0];
      await eventually('stalled readers that use all of it', async () => {
        const { fromUpstreamBytes } = statusOf(relay, 'slow').connections;
        polls = fromUpstreamBytes === before ? polls + 1 : 0;
        before = fromUpstreamBytes;
        if (polls < 5 || relay.status().memory.usedBytes >= 20_000) return polls >= 5;
        // Of a small read, the client's socket may have taken nearly all.
        readers.push(await slowReader(listenOf(relay, 'slow')));
        polls = 0;
        return false;
      });
      expect(times(lines, usedUp)).to.equal(1);
      const client = await loopback.client(listenOf(relay, 'fine'));
      client.write('hello');
      await idle(client);
      expect(statusOf(relay, 'fine').connections.total).to.equal(0);
      expect(relay.status().descriptorsShort).to.equal(0);
      for (const reader of readers) reader.resetAndDestroy();
      const [answer] = (await once(client, 'data')) as [Buffer];
      expect(answer.toString()).to.equal('hello');
      await eventually('their end', () => statusOf(relay, 'slow').connections.active === 0);
      expect(relay.status().memory.usedBytes).to.equal(0);
    },
  );

  it('counts what a client sends while its remote is dialled, until it is written', async () => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const { port } = split(await loopback.echo());
    const { relay } = await loopback.relay(config(endpoint(`echo.example:${String(port)}`)), {
      lookup: () => promise,
    });
    const client = await loopback.client(listenOf(relay));
    client.write(Buffer.alloc(1000));
    await eventually('it', () => relay.status().memory.usedBytes === 1000, { intervalMs: 2 });
    resolve(['127.0.0.1']);
    await once(client, 'data');
    expect(relay.status().memory.usedBytes).to.equal(0);
  });
});

describe('relay, memory budget, WebSocket', () => {
  const request =
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

  /** A client, and the first `sent` bytes of its message of `length` bytes. */
  async function unfinished(address: string, length: number, sent: number): Promise<Socket> {
    const client = await loopback.client(address);
    client.write(request);
    await once(client, 'data');
    const head = Buffer.alloc(14);
    head[0] = 0x82;
    head[1] = 0xff;
    head.writeBigUInt64BE(BigInt(length), 2);
    client.write(Buffer.concat([head, Buffer.alloc(sent)]));
    return client;
  }

  it('keeps nothing of unfinished messages', async () => {
    let arrived = 0;
    const remote = await loopback.tcpRemote((socket) => {
      socket.on('data', ({ length }: Buffer) => (arrived += length));
    });
    const { relay } = await loopback.relay(
      config(endpoint(remote, { listen_transport: 'ws;host=a;path=/' })),
      { memoryBytes: 1_000_000 },
    );
    for (let i = 0; i < 10; i += 1) await unfinished(listenOf(relay), 400_001, 400_000);
    await eventually('all of it at the remote', () => arrived === 4_000_000, { intervalMs: 2 });
    expect(relay.status().memory).to.deep.include({ usedBytes: 0, dropped: 0 });
  });
});
