import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/** The head of the request that Realm's client sends, with `fields` in place of its own. */
export function requestHead(
  fields: Readonly<Record<string, string>> = {},
  first = 'GET /tunnel HTTP/1.1',
): string {
  const all = {
    host: 'relay.example',
    upgrade: 'websocket',
    connection: 'upgrade',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
    ...fields,
  };
  return [first, ...Object.entries(all).map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
}

/** The answer of Realm's server to that request. */
export const switching =
  'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
  'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';

export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** One frame, not fragmented, of at most 125 bytes. */
export function frame(opcode: number, payload: string, mask?: Buffer): Buffer {
  const head = Buffer.from([0x80 | opcode, payload.length | (mask === undefined ? 0 : 0x80)]);
  const body = Buffer.from(payload).map((byte, index) => byte ^ (mask?.[index % 4] ?? 0));
  return Buffer.concat([head, mask ?? Buffer.alloc(0), body]);
}

/** The mask of Realm's client. */
export const zeroMask = Buffer.alloc(4);

/** Reads `stream` until the bytes read end with `end`, or the stream ends. */
export async function until(stream: Duplex, end: string | Buffer): Promise<Buffer> {
  let read = Buffer.alloc(0);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const onData = (part: Buffer): void => {
    read = Buffer.concat([read, part]);
    if (read.subarray(-end.length).equals(Buffer.from(end))) resolve(undefined);
  };
  stream.on('data', onData);
  await Promise.race([promise, once(stream, 'end'), once(stream, 'close')]);
  stream.off('data', onData);
  return read;
}
