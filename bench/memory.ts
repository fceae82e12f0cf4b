// What floods cost in memory: `node bench/memory.ts [SCENARIO...]`, with RELAY=path of the relay program.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const program = process.env['RELAY'] ?? join(import.meta.dirname, '..', 'src', 'cli', 'realm.ts');
const sources = 19_000;
const datagramBytes = 64_000;
const clients = 200;
const unfinishedBytes = 900_000;
const settleMs = 15_000;

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
    remote: endlessRemote,
    endpoint: { listen_transport: 'ws;host=a;path=/' },
    flood: (port) => connections(port, sendUnfinished),
  },
};

async function silentRemote(): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.unref();
  return `127.0.0.1:${String(socket.address().port)}`;
}

async function endlessRemote(): Promise<string> {
  const part = Buffer.alloc(65_536);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const fill = (): void => {
      while (socket.write(part));
    };
    socket.on('drain', fill);
    fill();
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

function megabytes(pid: number, field: 'VmHWM' | 'VmRSS'): number {
  const [, kib] =
    new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8')) ?? [];
  return Math.round((Number(kib) * 1024) / 1e6);
}

async function measure(name: string, { remote, endpoint, network, flood }: Scenario): Promise<void> {
  const config = JSON.stringify({
    log: { level: 'info' },
    endpoints: [{ name: 'web', listen: '127.0.0.1:0', remote: await remote(), ...endpoint, network }],
  });
  const child = spawn(process.execPath, [program, '--admin', 'off'], {
    env: { ...process.env, REALM_CONF: config },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { promise: listening, resolve } = Promise.withResolvers<number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { msg, listen } = JSON.parse(line) as { msg: string; listen?: string };
    if (msg === 'listening') resolve(Number(listen?.replace(/^.*:/, '')));
    if (process.env['VERBOSE'] !== undefined && !msg.startsWith('association')) console.error(line); // eslint-disable-line no-console -- for people
  });
  const { pid = 0 } = child;
  const port = await listening;
  const end = await flood(port);
  const before = megabytes(pid, 'VmRSS');
  const peak = megabytes(pid, 'VmHWM');
  end();
  await delay(settleMs);
  const after = megabytes(pid, 'VmRSS');
  process.stdout.write(
    `${name}: peak ${String(peak)} MB, at the end of the flood ${String(before)} MB, ${String(settleMs / 1000)} s later ${String(after)} MB\n`,
  );
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const wanted = process.argv.slice(2);
for (const [name, scenario] of Object.entries(scenarios)) {
  if (wanted.length === 0 || wanted.some((word) => name.includes(word))) await measure(name, scenario);
}
process.exit(0);
