import type { Duplex } from 'node:stream';
import type { WebSocketTarget } from '../../config/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { errorCode } from '../../lib/errors.ts';
import { NoDataError } from '../net/no-data-error.ts';
import { HandshakeError, ClientRefusedError } from './handshake-error.ts';
import { answerFault, answerHead, newKey, requestHead } from './web-socket-answer.ts';
import { isOfRealm, maxHeadBytes, readRequest } from './web-socket-request.ts';
import { WebSocketStream } from './web-socket-stream.ts';

/**
 * Realm's client drops what it reads together with the answer to its request, such as the first bytes of a remote that
 * speaks first, and then no longer finds the start of a frame. It gets this long to read the answer alone.
 */
const silenceForRealmMs = 50;

/**
 * Reads and answers the WebSocket request on `stream`. A request that is not valid is answered with HTTP status 400,
 * and `stream` is ended.
 *
 * @throws HandshakeError, or NoDataError if the client closes before it sends anything.
 */
export async function acceptWebSocket(
  stream: Duplex,
  target: WebSocketTarget,
  clock: Clock,
): Promise<WebSocketStream> {
  const head = await readHead(stream, { begin: 'GET ', peer: 'client', message: 'request' });
  if ('fault' in head) throw refuse(stream, head.fault);
  const request = readRequest(head.text, target);
  if ('fault' in request) throw refuse(stream, request.fault);
  const { headers } = request;
  stream.write(answerHead(headers['sec-websocket-key'] ?? ''));
  const silenceMs = isOfRealm(headers) ? silenceForRealmMs : 0;
  const { pings } = target;
  return new WebSocketStream(stream, { isServer: true, rest: head.rest, pings, clock, silenceMs });
}

/**
 * Requests a WebSocket from the remote on `stream`, as Realm does: without extensions, with an all-zero mask.
 *
 * @throws HandshakeError
 */
export async function requestWebSocket(
  stream: Duplex,
  target: WebSocketTarget,
  clock: Clock,
): Promise<WebSocketStream> {
  const key = newKey();
  stream.write(requestHead(target, key));
  const head = await readHead(stream, { begin: 'HTTP/1.1 ', peer: 'remote', message: 'answer' });
  const fault = 'fault' in head ? head.fault : answerFault(head.text, key);
  if ('fault' in head || fault !== undefined) throw failed(fault);
  return new WebSocketStream(stream, { isServer: false, rest: head.rest, pings: target.pings, clock });
}

/** What a head is read of. */
type ExpectedHead = { readonly begin: string; readonly peer: string; readonly message: string };

/** A head in Latin-1 without its empty line, and what follows it; or why it is none. */
type Head = { readonly text: string; readonly rest: Buffer } | { readonly fault: string };

/** Reads up to the first empty line and pauses `stream` behind it. */
async function readHead(stream: Duplex, { begin, peer, message }: ExpectedHead): Promise<Head> {
  const { promise, resolve, reject } = Promise.withResolvers<Head>();
  let read = Buffer.alloc(0);
  const onData = (part: Buffer): void => {
    read = Buffer.concat([read, part]);
    const start = peer === 'client' ? requestStart(read) : 0;
    const end = read.subarray(0, maxHeadBytes).indexOf('\r\n\r\n', start);
    if (end >= 0) resolve({ text: read.toString('latin1', start, end), rest: read.subarray(end + 4) });
    else if (read.length >= maxHeadBytes)
      resolve({ fault: `the head of the ${message} is longer than ${String(maxHeadBytes)} bytes` });
    else if (!begin.startsWith(read.toString('latin1', start, start + begin.length)))
      resolve({ fault: `the ${message} of the ${peer} is not HTTP/1.1` });
    else return;
    stream.pause();
  };
  const isUnused = (): boolean => peer === 'client' && read.length === 0;
  const onEnd = (): void => {
    const fault = `the ${peer} closed the connection before its ${message} was complete`;
    reject(isUnused() ? new NoDataError() : failed(fault));
  };
  const onError = (error: Error): void => {
    reject(isUnused() && errorCode(error) === 'ECONNRESET' ? new NoDataError() : error);
  };
  stream.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', onError);
  stream.resume();
  try {
    return await promise;
  } finally {
    stream.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
  }
}

/** Where the request in `read` begins: RFC 9112, section 2.2 has servers ignore empty lines before it. */
function requestStart(read: Buffer): number {
  const [cr, lf] = [0x0d, 0x0a];
  let start = 0;
  while (read[start] === cr && (read[start + 1] ?? lf) === lf) start += 2;
  return start;
}

function failed(fault = ''): HandshakeError {
  return new HandshakeError(`WebSocket handshake failed: ${fault}`);
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
