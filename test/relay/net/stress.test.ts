import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { engineFlags, testEngine } from '../engines.ts';
import { endpoint, Loopback, split } from '../loopback.ts';
import { RelayProcess, replaceConfig } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** How many connections are made, and how many clients send datagrams. */
const operations = Number(process.env['STRESS_OPERATIONS'] ?? 250);
/** By hand: for how long they are made instead, with each number of threads. */
const seconds = Number(process.env['STRESS_SECONDS'] ?? 0);
const seed = Number(process.env['STRESS_SEED'] ?? 1);
const atOnce = 16;
const reloadEvery = 20;

/** How a connection goes, and how it ends. */
const ways = [
  'full',
  'half-close',
  'client resets',
  'remote resets',
  'slow client',
  'slow remote',
  'vanish',
] as const;
type Way = (typeof ways)[number];
type Plan = { readonly way: Way; readonly up: number; readonly down: number; readonly from: number };

/** A sequence of numbers below `limit`, the same for the same seed. Source: mulberry32. */
function numbers(start: number): (limit: number) => number {
  let state = start;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const block = randomBytes(1024 * 1024);

/** `length` bytes, which differ by `from`, in parts. */
function* bytes(from: number, length: number): Generator<Buffer> {
  for (let at = from % block.length, left = length; left > 0; at = 0) {
    const part = block.subarray(at, Math.min(block.length, at + Math.min(left, 100_000)));
    left -= part.length;
    yield part;
  }
}

function hashOf(from: number, length: number): string {
  const hash = createHash('sha256');
  for (const part of bytes(from, length)) hash.update(part);
  return hash.digest('hex');
}

/** Sends as fast as the peer reads; stops if the socket is gone. */
async function send(socket: Socket, from: number, length: number): Promise<void> {
  for (const part of bytes(from, length)) {
    if (socket.destroyed) return;
    if (!socket.write(part)) await Promise.race([once(socket, 'drain'), gone(socket)]);
  }
}

function gone(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    socket.once('close', () => {
      resolve();
    });
  });
}

/** The hash of all that `socket` brings until its end; undefined if it is broken off. */
async function receive(socket: Socket, isSlow: boolean): Promise<string | undefined> {
  const hash = createHash('sha256');
  const state = { hasEnded: false };
  socket.on('data', (part: Buffer) => {
    hash.update(part);
    if (!isSlow) return;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  socket.resume();
  const ended = once(socket, 'end').then(
    () => (state.hasEnded = true),
    () => undefined,
  );
  await Promise.race([ended, gone(socket)]);
  return state.hasEnded ? hash.digest('hex') : undefined;
}

/** A remote that does its part of the plan in the first line, and keeps the hash of what came. */
async function remote(received: Map<number, string | undefined>): Promise<string> {
  return loopback.tcpRemote((socket) => {
    void (async () => {
      const { id, way, down, from } = await planOf(socket);
      if (way === 'remote resets') {
        await send(socket, from + 1, Math.floor(down / 2));
        socket.resetAndDestroy();
        return;
      }
      const upload = receive(socket, way === 'slow remote');
      if (way === 'half-close') received.set(id, await upload);
      await send(socket, from + 1, down);
      socket.end();
      if (way !== 'half-close') received.set(id, await upload);
    })();
  });
}

async function planOf(socket: Socket): Promise<Plan & { readonly id: number }> {
  let head = Buffer.alloc(0);
  for (;;) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    head = Buffer.concat([head, part]);
    const end = head.indexOf('\n');
    if (end < 0) continue;
    socket.pause();
    socket.unshift(head.subarray(end + 1));
    return JSON.parse(head.toString('latin1', 0, end)) as Plan & { id: number };
  }
}

/** The client's part of `plan`. @throws if the bytes are not those that were sent. */
async function run(
  listen: string,
  id: number,
  plan: Plan,
  received: Map<number, string | undefined>,
): Promise<void> {
  const { way, up, down, from } = plan;
  const client = await loopback.client(listen);
  client.write(`${JSON.stringify({ id, ...plan })}\n`);
  const answer = receive(client, way === 'slow client');
  if (way === 'client resets' || way === 'vanish') {
    await send(client, from, Math.floor(up / 2));
    if (way === 'vanish') client.destroy();
    else client.resetAndDestroy();
    return;
  }
  await send(client, from, up);
  client.end();
  const got = await answer;
  client.destroy();
  if (way === 'remote resets') return;
  const what = `connection ${String(id)}, ${JSON.stringify(plan)}`;
  expect(got, what).to.equal(hashOf(from + 1, down));
  await eventually(what, () => received.has(id));
  expect(received.get(id), what).to.equal(hashOf(from, up));
}

/** Datagrams that a client has under way: a socket with the smallest buffers has room for those of all clients. */
const burst = 8;

/**
 * Sends bursts of datagrams, each of which comes back, from one client: runs of one size, empty ones, and large ones alone.
 *
 * @returns the bytes that it has sent. @throws if a datagram is another one than was sent, or comes in another order.
 */
async function runDatagrams(listen: string, id: number, random: (limit: number) => number): Promise<number> {
  const client = await loopback.udp();
  const { host, port } = split(listen);
  let bytes = 0;
  for (let round = 0; round < 4; round += 1) {
    const size = [0, 512, 1200, 1 + random(1400), 20_000 + random(40_000)][random(5)] ?? 1;
    const count = size > 1400 ? 1 : 1 + random(burst);
    const sent = Array.from({ length: count }, (_, index) => {
      const isShorter = index === count - 1 && random(2) === 0;
      return block.subarray(random(block.length - size)).subarray(0, isShorter ? random(size + 1) : size);
    });
    const got: Buffer[] = [];
    const onDatagram = (datagram: Buffer): unknown => got.push(datagram);
    client.on('message', onDatagram);
    await Promise.all(
      sent.map(async (datagram) => {
        const { promise, resolve } = Promise.withResolvers<unknown>();
        client.send(datagram, port, host, resolve);
        await promise;
      }),
    );
    bytes += Buffer.concat(sent).length;
    if (round === 3 && random(2) === 0) break; // it has gone when they come back
    const what = `datagrams of client ${String(id)}, round ${String(round)}`;
    await eventually(what, () => got.length >= sent.length);
    client.off('message', onDatagram);
    expect(got.map(digest), what).to.deep.equal(sent.map(digest));
  }
  client.close();
  return bytes;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function digest(datagram: Buffer): string {
  return `${String(datagram.length)} ${createHash('sha256').update(datagram).digest('hex')}`;
}

describe(`relay, stress, engine ${testEngine.name}`, () => {
  const threads = testEngine.name === 'kernel' ? [1, 3] : [1];
  for (const workers of threads)
    it(`carries every byte and every datagram while connections open, end and break, configurations change and garbage is collected: ${String(workers)} threads`, async function () {
      this.timeout(Math.max(180_000, operations * 1000, seconds * 2000));
      const counts = await stress(workers);
      if (seconds > 0) process.stdout.write(`      ${JSON.stringify({ workers, ...counts })}\n`);
    });
});

type Counts = { readonly connections: number; readonly clients: number; readonly datagramBytes: number };

/** All operations on a relay with `workers` threads. @throws if a byte is lost, or something is left over. */
async function stress(workers: number): Promise<Counts> {
  const random = numbers(seed);
  const received = new Map<number, string | undefined>();
  const echo = await remote(received);
  const udpEcho = await loopback.udpEcho();
  const path = join(loopback.folder(), 'config.json');
  const write = (withOther: boolean): void => {
    const other = withOther ? [endpoint(echo, { name: 'other' })] : [];
    const udp = endpoint(udpEcho, { name: 'udp' }, { no_tcp: true, use_udp: true });
    replaceConfig(path, { endpoints: [endpoint(echo), udp, ...other] });
  };
  write(false);
  const collecting = 'setInterval(() => gc(), 25).unref()';
  const relay = new RelayProcess(
    ['-c', path, '--admin', '127.0.0.1:0'],
    [],
    {
      NODE_OPTIONS: `--expose-gc --import=data:text/javascript,${encodeURIComponent(collecting)}`,
    },
    [...engineFlags, '--workers', String(workers)],
  );
  loopback.onClose(() => relay.end());
  const [listen = '', udpListen = ''] = (await relay.status()).endpoints.map((each) => each.listen);
  const endMs = performance.now() + seconds * 1000;
  const isToGoOn = (id: number): boolean => (seconds > 0 ? performance.now() < endMs : id < operations);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (; isToGoOn(next);) {
      const id = next++;
      if (id % reloadEvery === 0) write(random(2) === 0);
      const size = (): number => random([100, 70_000, 70_000, 3_000_000][random(4)] ?? 1);
      const plan = {
        way: ways[random(ways.length)] ?? 'full',
        up: size(),
        down: size(),
        from: random(block.length),
      };
      await run(listen, id, plan, received);
    }
  };
  let nextClient = 0;
  const datagramBytes: number[] = [];
  const datagramLane = async (): Promise<void> => {
    for (; isToGoOn(nextClient);) datagramBytes.push(await runDatagrams(udpListen, nextClient++, random));
  };
  const lanes = [...Array.from({ length: atOnce }, lane), ...Array.from({ length: 4 }, datagramLane)];
  await Promise.all(lanes);
  await eventually('their end', async () => {
    const now = (await relay.status()).endpoints;
    const isCounted = now[1]?.associations.fromClientBytes === sum(datagramBytes);
    return isCounted && now.every(({ connections }) => connections.active === 0);
  });
  const { endpoints, memory } = await relay.status();
  expect(endpoints[0]?.connections.total).to.equal(next);
  expect(memory.usedBytes).to.equal(0);
  expect(relay.stderr).to.equal('');
  relay.kill('SIGTERM');
  expect(await relay.ended).to.equal(0);
  return { connections: next, clients: nextClient, datagramBytes: sum(datagramBytes) };
}
