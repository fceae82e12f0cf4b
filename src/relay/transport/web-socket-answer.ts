import { createHash, randomBytes } from 'node:crypto';
import type { WebSocketTarget } from '../../config/transport.ts';
import { ownValue } from '../../lib/record.ts';
import { hasToken, readHeaders } from './web-socket-request.ts';

/** A key for one request: 16 random bytes in Base64 (RFC 6455, section 4.1). */
export function newKey(): string {
  return randomBytes(16).toString('base64');
}

/** The head of a request to `target`, as Realm sends it: only the required fields, and the path unchanged. */
export function requestHead({ host, path }: WebSocketTarget, key: string): string {
  return (
    `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
    'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
  );
}

/** The head of the answer to a valid request with `key`. */
export function answerHead(key: string): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n\r\n`
  );
}

/** RFC 6455, section 4.2.2. */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

const statusLine = /^HTTP\/1\.1 ([0-9]{3})(?: |$)/;

/**
 * Checks the head of the answer to a request with `key` (RFC 6455, section 4.1).
 *
 * @param head  in Latin-1, without the empty line at its end.
 * @returns why it is not valid, or undefined.
 */
export function answerFault(head: string, key: string): string | undefined {
  const [first = '', ...lines] = head.split('\r\n');
  const status = statusLine.exec(first)?.[1];
  if (status === undefined) return 'the answer of the remote is not HTTP/1.1';
  if (status !== '101') return `the remote answered with HTTP status ${status}`;
  const headers = readHeaders(lines);
  if (headers === undefined) return 'a header field of the answer is malformed or occurs twice';
  if (!hasToken(headers['upgrade'], 'websocket')) return 'the answer has no Upgrade: websocket';
  if (!hasToken(headers['connection'], 'upgrade')) return 'the answer has no Connection: upgrade';
  if (headers['sec-websocket-accept'] !== acceptOf(key))
    return 'Sec-WebSocket-Accept of the answer does not fit the request';
  const unasked = ['sec-websocket-extensions', 'sec-websocket-protocol'].find(
    (name) => ownValue(headers, name) !== undefined,
  );
  return unasked === undefined ? undefined : `the answer has ${unasked}, which was not requested`;
}
