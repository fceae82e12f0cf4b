import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** The bytes with which a client that `start` connects to a port begins. */
async function firstBytes(start: (port: number) => () => void): Promise<Buffer> {
  const server = createServer().listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const stop = start((server.address() as AddressInfo).port);
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => undefined);
  const parts: Buffer[] = [];
  let wanted = Infinity;
  while (Buffer.concat(parts).length < wanted) {
    const [part] = (await once(socket, 'data')) as [Buffer];
    parts.push(part);
    const all = Buffer.concat(parts);
    if (all.length >= 5) wanted = 5 + all.readUInt16BE(3);
  }
  socket.destroy();
  stop();
  server.close();
  return Buffer.concat(parts);
}

/** The ClientHello of `node:tls`, in its record. */
export function helloOfNode(options: ConnectionOptions = {}): Promise<Buffer> {
  return firstBytes((port) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.on('error', () => undefined);
    return () => {
      socket.destroy();
    };
  });
}

/** The ClientHello of openssl(1) with these arguments, in its record. */
export function helloOfOpenssl(...args: readonly string[]): Promise<Buffer> {
  return firstBytes((port) => {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${String(port)}`, ...args], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    return () => {
      client.kill();
    };
  });
}

/** An extension of a ClientHello. */
export type Extension = { readonly type: number; readonly data: Buffer };

/** The extension server_name with these names. */
export function serverNames(...names: readonly (string | { type: number; name: string })[]): Extension {
  const entries = names.map((each) => {
    const { type, name } = typeof each === 'string' ? { type: 0, name: each } : each;
    return Buffer.concat([Buffer.from([type]), vector(2, Buffer.from(name, 'latin1'))]);
  });
  return { type: 0, data: vector(2, Buffer.concat(entries)) };
}

/** A vector: its length in so many bytes, then `data`. */
export function vector(lengthBytes: number, data: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(data.length, 0, lengthBytes);
  return Buffer.concat([length, data]);
}

/** The parts of a ClientHello that tests change. */
export type HelloParts = {
  readonly extensions?: readonly Extension[] | undefined;
  readonly sessionId?: Buffer;
  readonly ciphers?: Buffer;
  readonly compressions?: Buffer;
  readonly trailer?: Buffer;
};

/** The message ClientHello, without a record. */
export function helloMessage({
  extensions,
  sessionId = Buffer.alloc(32),
  ciphers = Buffer.from([0x13, 0x01]),
  compressions = Buffer.from([0]),
  trailer = Buffer.alloc(0),
}: HelloParts): Buffer {
  const all = (extensions ?? []).map(({ type, data }) =>
    Buffer.concat([Buffer.from([type >> 8, type & 0xff]), vector(2, data)]),
  );
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, sessionId),
    vector(2, ciphers),
    vector(1, compressions),
    ...(extensions === undefined ? [] : [vector(2, Buffer.concat(all))]),
    trailer,
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

/** `message` in records of at most `size` bytes. */
export function records(message: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    parts.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}

/** A ClientHello for the server name `name`, with its records, of `bytes` bytes as a message if that is given. */
export function hello(name: string, bytes?: number): Buffer {
  const plain = helloMessage({ extensions: [serverNames(name)] });
  if (bytes === undefined) return records(plain);
  const padding = { type: 21, data: Buffer.alloc(bytes - plain.length - 4) }; // RFC 7685
  return records(helloMessage({ extensions: [serverNames(name), padding] }));
}
