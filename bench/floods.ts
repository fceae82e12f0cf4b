// What floods cost: memory, descriptors, and how long the clients of another endpoint wait meanwhile.
// `make build && node bench/floods.ts [SCENARIO...]`, with RELAY=path of another relay program.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const program = process.env['RELAY'] ?? join(import.meta.dirname, '..', 'dist', 'realm.js');
const sources = 19_000;
const datagramBytes = 64_000;
const clients = 200;
const unfinishedBytes = 900_000;
/** Associations end, and the relay looks for memory to return every ten seconds. */
const settleMs = 35_000;

/** What a flood needs to be tried: a remote, and settings of the endpoint and its network. */
type Scenario = {
  readonly remote: () => Promise<string> | string;
  readonly endpoint?: object;
  readonly network?: object;
  /** Floods the relay at `port`. @returns ends the flood. */
  readonly flood: (port: number) => Promise<() => void>;
};

const udp = { no_tcp: true, use_udp: true, max_associations: 0, udp_timeout: 10 };

const scenarios: Readonly<Record<string, Scenario>> = {
  'UDP, silent remote': { remote: silentRemote, network: udp, flood: datagrams },
  'UDP, name that does not resolve': { remote: () => 'dead.invalid:9', network: udp, flood: datagrams },
  'slow readers': { remote: endlessRemote, flood: (port) => connections(port, () => undefined) },
  'unfinished WebSocket messages': {
    remote: sink,
    endpoint: { listen_transport: 'ws;host=a;path=/' },
    flood: (port) => connections(port, sendUnfinished),
  },
  'malformed WebSocket requests': {
    remote: sink,
    endpoint: { listen_transport: 'ws;host=a;path=/' },
    flood: (port) => connections(port, sendSpaces),
  },
};

async function silentRemote(): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
  return `127.0.0.1:${String(socket.address().port)}`;
}

function sink(): Promise<string> {
  return remoteOf((socket) => socket.resume());
}

function endlessRemote(): Promise<string> {
  const part = Buffer.alloc(65_536);
  return remoteOf((socket) => {
    const fill = (): void => {
      while (socket.write(part));
    };
    socket.on('drain', fill);
    fill();
  });
}

async function remoteOf(serve: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** One datagram from each of many sources. */
async function datagrams(port: number): Promise<() => void> {
  const datagram = Buffer.alloc(datagramBytes);
  for (let source = 0; source < sources; source += 1) {
    const socket = createSocket('udp4');
    const host = `127.${String(1 + (source >> 14))}.${String((source >> 7) & 127)}.${String(1 + (source & 127))}`;
    socket.bind(0, host);
    await once(socket, 'listening');
    await new Promise((resolve) => {
      socket.send(datagram, port, '127.0.0.1', resolve);
    });
    socket.close();
    await delay(1); // the kernel holds few of these datagrams
  }
  return () => undefined;
}

async function connections(port: number, greet: (client: Socket) => void): Promise<() => void> {
  const all = Array.from({ length: clients }, () => connect(port, '127.0.0.1'));
  for (const client of all) {
    client.on('error', () => undefined);
    await once(client, 'connect');
    client.pause();
    greet(client);
  }
  await delay(8000);
  return () => {
    for (const client of all) client.destroy();
  };
}

/** A WebSocket request, and a message of which the last byte is missing. */
function sendUnfinished(client: Socket): void {
  const head = Buffer.alloc(14);
  head[0] = 0x82;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(unfinishedBytes + 1), 2);
  client.write(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  client.write(head);
  client.write(Buffer.alloc(unfinishedBytes));
}

/** A head that a pattern which backtracks takes seconds to read. */
function sendSpaces(client: Socket): void {
  client.write(`GET / HTTP/1.1\r\na:${' '.repeat(3000)}\nx\r\n\r\n`);
}

/** In a thread of its own: an echo server, and a client of the endpoint in front of it, again and again. */
async function probe(): Promise<void> {
  const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  parentPort?.postMessage((echo.address() as AddressInfo).port);
  const [port] = (await once(parentPort as NonNullable<typeof parentPort>, 'message')) as [number];
  let longestMs = 0;
  parentPort?.on('message', () => {
    parentPort?.postMessage(longestMs);
  });
  for (let count = 0; ; count += 1) {
    const startMs = performance.now();
    const client = connect(port, '127.0.0.1');
    client.write('x');
    await once(client, 'data');
    if (count > 50) longestMs = Math.max(longestMs, performance.now() - startMs); // the first ones warm up
    client.destroy();
    await delay(20);
  }
}

async function answer(thread: Worker, message?: number): Promise<number> {
  if (message !== undefined) thread.postMessage(message);
  return ((await once(thread, 'message')) as [number])[0];
}

function descriptors(pid: number): number {
  return readdirSync(`/proc/${String(pid)}/fd`).length;
}

function megabytes(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const [, kib] =
    new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Math.round((Number(kib) * 1024) / 1e6);
}

async function measure(name: string, { remote, endpoint, network, flood }: Scenario): Promise<void> {
  const prober = new Worker(import.meta.filename);
  const config = JSON.stringify({
    log: { level: 'info' },
    endpoints: [
      { name: 'web', listen: '127.0.0.1:0', remote: await remote(), ...endpoint, network },
      { name: 'other', listen: '127.0.0.1:0', remote: `127.0.0.1:${String(await answer(prober))}` },
    ],
  });
  const child = spawn(process.execPath, [program, '--admin', 'off'], {
    env: { ...process.env, REALM_CONF: config },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ports = new Map<string, number>();
  const { promise: listening, resolve } = Promise.withResolvers<undefined>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    const { msg, endpoint: name = '', listen = '' } = JSON.parse(text) as Record<string, string>;
    if (msg === 'listening') ports.set(name, Number(listen.replace(/^.*:/, '')));
    if (ports.size === 2) resolve(undefined);
  });
  const { pid = 0 } = child;
  await listening;
  await delay(1000);
  const start = megabytes(pid, 'VmRSS');
  prober.postMessage(ports.get('other'));
  await delay(2000);
  const end = await flood(ports.get('web') ?? 0);
  const [peak, open] = [megabytes(pid, 'VmHWM'), descriptors(pid)];
  const longestMs = await answer(prober, 0);
  end();
  await delay(settleMs);
  const figures = [
    `${String(start)} MB at the start`,
    `${String(peak)} MB at the peak with ${String(open)} descriptors`,
    `others waited ${longestMs.toFixed(0)} ms at most`,
    `${String(megabytes(pid, 'VmRSS'))} MB and ${String(descriptors(pid))} descriptors ${String(settleMs / 1000)} s later`,
  ];
  process.stdout.write(`${name}: ${figures.join(', ')}\n`);
  await prober.terminate();
  child.kill('SIGKILL');
  await once(child, 'exit');
}

if (!isMainThread) await probe();
const wanted = process.argv.slice(2);
for (const [name, scenario] of Object.entries(scenarios)) {
  if (wanted.length === 0 || wanted.some((word) => name.includes(word))) await measure(name, scenario);
}
process.exit(0);
