import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type ClientOptions } from 'ws';
import type { WebSocketTarget } from '../../config/transport.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import { HandshakeError, ClientRefusedError } from './handshake-error.ts';
import { isOfRealm, maxHeadBytes, readRequest, type RequestHeaders } from './web-socket-request.ts';
import { closeTimeout, HalfOpenWebSocket, maxMessageBytes, WebSocketStream } from './web-socket-stream.ts';

const options = { perMessageDeflate: false, maxPayload: maxMessageBytes, closeTimeout } as const;

const server = new WebSocketServer({
  ...options,
  noServer: true,
  clientTracking: false,
  WebSocket: HalfOpenWebSocket,
});

/**
 * Realm's client drops what it reads together with the answer to its request, such as the first bytes of a remote that
 * speaks first, and then no longer finds the start of a frame. It gets this long to read the answer alone.
 */
const silenceForRealmMs = 50;

/**
 * Reads and answers the WebSocket request on `stream`. A request that is not valid is answered with HTTP status 400,
 * and `stream` is ended.
 *
 * @throws HandshakeError
 */
export async function acceptWebSocket(
  stream: Duplex,
  target: WebSocketTarget,
  memory: MemoryBudget,
): Promise<WebSocketStream> {
  const { head, rest } = await readHead(stream);
  const read = readRequest(head, target);
  if ('fault' in read) throw refuse(stream, read.fault);
  return upgrade(stream, target.path, { headers: read.headers, rest, memory });
}

/** A valid request, what follows it, and the memory budget. */
type Upgrade = { readonly headers: RequestHeaders; readonly rest: Buffer; readonly memory: MemoryBudget };

async function upgrade(
  stream: Duplex,
  url: string,
  { headers, rest, memory }: Upgrade,
): Promise<WebSocketStream> {
  return new Promise((resolve) => {
    const request = { method: 'GET', url, headers } as unknown as IncomingMessage;
    server.handleUpgrade(request, stream, rest, (socket) => {
      resolve(
        new WebSocketStream(socket, { below: stream, memory }, isOfRealm(headers) ? silenceForRealmMs : 0),
      );
    });
    stream.resume(); // readHead has paused it
  });
}

type Head = { readonly head: string; readonly rest: Buffer };

/** Reads up to the first empty line and pauses `stream` behind it. */
async function readHead(stream: Duplex): Promise<Head> {
  const { promise, resolve, reject } = Promise.withResolvers<Head>();
  let read = Buffer.alloc(0);
  const onData = (part: Buffer): void => {
    read = Buffer.concat([read, part]);
    const end = read.subarray(0, maxHeadBytes).indexOf('\r\n\r\n');
    if (end >= 0) {
      stream.pause();
      resolve({ head: read.toString('latin1', 0, end), rest: read.subarray(end + 4) });
    } else if (read.length >= maxHeadBytes) {
      reject(refuse(stream, `the request head is longer than ${String(maxHeadBytes)} bytes`));
    } else if (!beginsLikeGet(read)) {
      reject(refuse(stream, 'not an HTTP/1.1 GET request'));
    }
  };
  const onEnd = (): void => {
    reject(
      new HandshakeError(
        'WebSocket handshake failed: the client closed the connection before its request was complete',
      ),
    );
  };
  stream.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', reject);
  stream.resume();
  try {
    return await promise;
  } finally {
    stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', reject);
  }
}

function beginsLikeGet(read: Buffer): boolean {
  const get = 'GET ';
  return get.startsWith(read.toString('latin1', 0, get.length));
}

function refuse(stream: Duplex, fault: string): ClientRefusedError {
  const body = `${fault}\n`;
  stream.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n' +
      `Content-Length: ${String(body.length)}\r\n\r\n${body}`,
  );
  stream.resume(); // the rest of the request is dropped
  return new ClientRefusedError(`WebSocket handshake failed: ${fault}`);
}

/**
 * Requests a WebSocket from the remote on `stream`, as Realm does: without extensions, with an all-zero mask.
 *
 * @throws HandshakeError
 */
export async function requestWebSocket(
  stream: Duplex,
  { host, path }: WebSocketTarget,
  memory: MemoryBudget,
): Promise<WebSocketStream> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocketStream>();
  const clientOptions: ClientOptions & { readonly closeTimeout: number } = {
    ...options,
    headers: { host },
    createConnection: () => stream as never,
    generateMask: () => undefined, // leaves the mask zero
    finishRequest: (request) => {
      request.path = path; // unchanged, while a URL would normalize it
      request.end();
    },
  };
  const socket = new HalfOpenWebSocket('ws://remote.invalid', clientOptions);
  socket.once('open', () => {
    resolve(new WebSocketStream(socket, { below: stream, memory }));
  });
  socket.once('unexpected-response', (_request, { statusCode = 0 }) => {
    reject(new Error(`the remote answered with HTTP status ${String(statusCode)}`));
  });
  socket.on('error', reject);
  try {
    return await promise;
  } catch (cause) {
    throw new HandshakeError('WebSocket handshake failed', { cause });
  }
}
