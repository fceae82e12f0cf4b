import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

// A program with the clients and the backends of one measurement, on both sides of the relay. It prints the ports of its
// backends, reads the relay's port for each of them from standard input, runs the load, and prints the result, all as JSON.
// Usage: node bench/load.ts WORK AMOUNT CONNECTIONS

/** The result of a load. */
export type LoadResult = {
  /** The divisor of the CPU time: GB, requests, connections or datagrams. */
  readonly units: number;
  readonly seconds: number;
  /** Datagrams that did not arrive, if they were counted. */
  readonly lost?: number;
  /** Microseconds from request to answer, if each was timed. */
  readonly latencyUs?: { readonly p50: number; readonly p99: number };
};

type Work = (port: number, amount: number, connections: number) => Promise<Omit<LoadResult, 'seconds'>>;

/** Another program, which streams to its backend, as fast as it can, until this one ends. */
type Streamer = { readonly port: number; readonly start: (to: number) => void };

const chunk = Buffer.alloc(65_536, 'x');
const message = Buffer.alloc(100, 'x');
const datagram = Buffer.alloc(512, 'x');

/** `amount` MB in total, from the clients to the backend. */
const stream: Work = async (port, amount, connections) => {
  const each = (amount * 1e6) / connections;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = connect(port, '127.0.0.1');
      for (let sent = 0; sent < each; sent += chunk.length) {
        if (!socket.write(chunk)) await once(socket, 'drain');
      }
      socket.end();
      socket.resume();
      await once(socket, 'close'); // the backend has received everything
    }),
  );
  return { units: amount / 1e3 };
};

/** `amount` requests of 100 bytes and their answers, over persistent connections. */
const requests: Work = async (port, amount, connections) => {
  const each = amount / connections;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const socket = await connected(port);
      for (let i = 0; i < each; i += 1) await exchange(socket);
      socket.destroy();
    }),
  );
  return { units: amount };
};

/** `amount` connections, each for one request of 100 bytes. */
const newConnections: Work = async (port, amount, connections) => {
  const each = amount / connections;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let i = 0; i < each; i += 1) {
        const socket = await connected(port);
        await exchange(socket);
        socket.end();
        await once(socket, 'close');
      }
    }),
  );
  return { units: amount };
};

/** `amount` requests at a steady pace of 4,000 a second, each timed. */
const paced: Work = async (port, amount, connections) => {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connected(port)));
  const latenciesUs: number[] = [];
  for (let sent = 0; sent < amount; sent += 4) {
    const batch = sockets.slice(sent % connections, (sent % connections) + 4);
    const timed = batch.map(async (socket) => {
      const startMs = performance.now();
      await exchange(socket);
      latenciesUs.push((performance.now() - startMs) * 1e3);
    });
    await Promise.all([...timed, delay(1)]);
  }
  for (const socket of sockets) socket.destroy();
  latenciesUs.sort((a, b) => a - b);
  const percentile = (share: number): number => latenciesUs[Math.floor(latenciesUs.length * share)] ?? NaN;
  return { units: amount, latencyUs: { p50: percentile(0.5), p99: percentile(0.99) } };
};

/** Keeps `amount` connections open after five bytes each way, until standard input ends. */
const idle: Work = async (port, amount) => {
  const sockets: Socket[] = [];
  while (sockets.length < amount) {
    const some = await Promise.all(Array.from({ length: 50 }, () => connected(port)));
    for (const socket of some) {
      socket.write('hello');
      await once(socket, 'data');
    }
    sockets.push(...some);
  }
  print({ units: amount, seconds: 0 });
  await once(process.stdin.resume(), 'end');
  for (const socket of sockets) socket.destroy();
  return { units: amount };
};

/** `amount` datagrams of 512 bytes and their echoes, `connections` in flight at a time. */
const datagrams: Work = async (port, amount, connections) => {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let answered = 0;
  for (let i = 0; i < connections; i += 1) socket.send(datagram);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const lost = setInterval(() => {
    socket.send(datagram); // replaces a lost one
  }, 200);
  socket.on('message', () => {
    answered += 1;
    if (answered >= amount) resolve(undefined);
    else socket.send(datagram);
  });
  await promise;
  clearInterval(lost);
  socket.close();
  return { units: answered };
};

/** How bulk datagrams are sent. */
const bulk = { perSecond: 60_000, burst: 32, bytes: 1200 } as const;
/** Datagrams that have not arrived after this silence are lost. */
const lostAfterMs = 500;

/** `amount` datagrams one way, in bursts at a steady pace, which the backend counts. */
const bulkDatagrams: Work = async (port, amount) => {
  const socket = createSocket('udp4');
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const payload = Buffer.alloc(bulk.bytes, 'x');
  const burstMs = (bulk.burst / bulk.perSecond) * 1e3;
  const startMs = performance.now();
  for (let sent = 0; sent < amount;) {
    await delay(1);
    const due = Math.floor((performance.now() - startMs) / burstMs) * bulk.burst;
    for (; sent < Math.min(due, amount); sent += 1) socket.send(payload);
  }
  for (let before = -1; arrived < amount && arrived !== before;) {
    before = arrived;
    await delay(lostAfterMs);
  }
  socket.close();
  return { units: arrived, lost: amount - arrived }; // a lost one has cost the relay nothing
};

/** Streams to `port` until standard input ends. */
const endlessStream: Work = async (port) => {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  const pump = (): void => {
    while (socket.write(chunk));
  };
  socket.on('drain', pump);
  pump();
  await once(process.stdin.resume(), 'end');
  return { units: 1 };
};

async function startStreamer(): Promise<Streamer> {
  const child = spawn(process.execPath, [import.meta.filename, 'endlessStream', '1', '1'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    port: (JSON.parse(String(line)) as number[])[0] ?? 0,
    start: (to) => {
      child.stdin.write(`${JSON.stringify([to])}\n`);
    },
  };
}

const works: Readonly<Record<string, Work>> = {
  stream,
  requests,
  newConnections,
  paced,
  pacedPastStream: paced,
  pacedBesideStream: paced,
  endlessStream,
  idle,
  datagrams,
  bulkDatagrams,
};

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function exchange(socket: Socket): Promise<void> {
  socket.write(message);
  for (let received = 0; received < message.length;) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    received += part.length;
  }
}

/** Datagrams that the backend has received. */
let arrived = 0;

/** Starts a backend that echoes, or only reads if `isSink`, and returns its port. */
async function tcpBackend(isSink: boolean): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    if (isSink) socket.resume().on('end', () => socket.end());
    else socket.pipe(socket);
  }).listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** The same for datagrams, which it counts. */
async function udpBackend(isSink: boolean): Promise<number> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  socket.on('message', (received, client) => {
    arrived += 1;
    if (!isSink) socket.send(received, client.port, client.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Works whose backend only reads, and those of UDP. */
const sinks = ['stream', 'endlessStream', 'bulkDatagrams'];
const ofUdp = ['datagrams', 'bulkDatagrams'];
/** Works beside which a stream runs, past the relay or through it. */
const withStream = ['pacedPastStream', 'pacedBesideStream'];

/** Runs `work` between standard input and output. @throws Error if there is no such work. */
async function perform(work: string, amount: number, connections: number): Promise<void> {
  const run = works[work];
  if (run === undefined) throw new Error(`no such work: ${work}`);
  const streamer = withStream.includes(work) ? await startStreamer() : undefined;
  const backend = ofUdp.includes(work) ? udpBackend : tcpBackend;
  print([await backend(sinks.includes(work)), ...(streamer ? [streamer.port] : [])]);
  const [line] = (await once(process.stdin, 'data')) as [Buffer];
  const [port = 0, streamPort = 0] = JSON.parse(String(line)) as number[];
  streamer?.start(work === 'pacedPastStream' ? streamer.port : streamPort);
  const startMs = performance.now();
  const done = await run(port, amount, connections);
  if (work !== 'idle') print({ ...done, seconds: (performance.now() - startMs) / 1e3 });
}

const [work = '', amount, connections] = process.argv.slice(2);
await perform(work, Number(amount), Number(connections));
process.exit(0);
