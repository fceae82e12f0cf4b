import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

const chunkBytes = 64 * 1024;
const udpTries = 240;
const udpWaitMs = 250;

/** A TCP connection to a backend, as far as its greeting. */
export type Greeted = {
  readonly socket: Socket;
  /** The name that the backend sends first. */
  readonly backend: string;
};

/**
 * Connects and reads the backend's name, of which the caller ends the socket.
 *
 * @param silenceMs  how long it may be silent, then and later.
 * @throws the socket's error, or an Error where the connection ends before the greeting.
 */
export async function greet(host: string, port: number, silenceMs = 20_000): Promise<Greeted> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, timeout: silenceMs });
  socket.on('timeout', () => socket.destroy(new Error(`${host} port ${String(port)}: silent`)));
  const line = await readLine(socket);
  return { socket, backend: line };
}

/** The name of the backend that answers at `host`:`port`. */
export async function backendAt(host: string, port: number): Promise<string> {
  const { socket, backend } = await greet(host, port);
  socket.destroy();
  return backend;
}

/** The subject of the certificate that is shown at `host`:`port`; it must be signed by `ca`, in PEM. */
export async function shownSubject(host: string, port: number, ca: Buffer): Promise<string> {
  const socket = connectTls({ host, port, ca, checkServerIdentity: () => undefined });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerX509Certificate()?.subject ?? '';
  } finally {
    socket.destroy();
  }
}

/** Sends a line and reads one: what an echo gives back. */
export async function echoLine(socket: Socket, line: string): Promise<string> {
  socket.write(`${line}\n`);
  return readLine(socket);
}

async function readLine(socket: Socket): Promise<string> {
  let line = '';
  for (;;) {
    const byte = socket.read(1) as Buffer | null;
    if (byte?.toString() === '\n') return line;
    if (byte !== null) {
      line += byte.toString();
      continue;
    }
    if (socket.readableEnded) throw new Error(`the connection ended after ${JSON.stringify(line)}`);
    const seen = new AbortController(); // takes the other listener away
    const { signal } = seen;
    await Promise.race([once(socket, 'readable', { signal }), once(socket, 'end', { signal })]); // rejects with the socket's error
    seen.abort();
  }
}

/** The two hashes of an exchange with an echo. */
export type Exchange = {
  readonly sentSha256: string;
  readonly receivedSha256: string;
  readonly receivedBytes: number;
};

/** Sends `bytes` random bytes, then FIN, and reads until the echo's FIN. */
export async function exchange(host: string, port: number, bytes: number): Promise<Exchange> {
  const { socket } = await greet(host, port);
  const sent = createHash('sha256');
  const received = createHash('sha256');
  let receivedBytes = 0;
  socket.on('data', (part: Buffer) => {
    received.update(part);
    receivedBytes += part.length;
  });
  const ended = once(socket, 'end');
  for (let left = bytes; left > 0; left -= chunkBytes) {
    const part = randomBytes(Math.min(chunkBytes, left));
    sent.update(part);
    if (!socket.write(part)) await once(socket, 'drain');
  }
  socket.end();
  await ended;
  return { sentSha256: sent.digest('hex'), receivedSha256: received.digest('hex'), receivedBytes };
}

/**
 * Sends a datagram until it is answered: UDP may lose one, and does while a relay starts.
 *
 * @returns the answer's text.
 */
export async function udpAnswer(host: string, port: number, question: string): Promise<string> {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.on('error', () => undefined); // "port unreachable" while the relay starts
  const answer = once(socket, 'message') as Promise<[Buffer]>;
  try {
    for (let i = 0; i < udpTries; i += 1) {
      socket.send(question, port, host);
      const first = await Promise.race([answer, delay(udpWaitMs)]);
      if (first !== undefined) return first[0].toString();
    }
    throw new Error(`no answer from ${host} port ${String(port)} to ${String(udpTries)} datagrams`);
  } finally {
    socket.close();
  }
}
