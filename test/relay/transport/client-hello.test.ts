import { expect } from 'chai';
import { ClientHelloError, ClientHelloParser } from '../../../src/relay/transport/client-hello.ts';
import {
  hello,
  helloMessage,
  helloOfNode,
  helloOfOpenssl,
  records,
  serverNames,
  vector,
  type HelloParts,
} from './hellos.ts';

/** What a parser reads of `bytes` that come in parts of `size`; `incomplete` if it waits for more. */
function read(bytes: Buffer, size = bytes.length): string {
  const parser = new ClientHelloParser();
  for (let at = 0; at < bytes.length; at += size) {
    // the memory of a part is reused after the call
    const part = Buffer.from(bytes.subarray(at, at + size));
    const found = parser.push(part);
    part.fill(0xff);
    if (found !== undefined) return `name "${found.serverName}"`;
  }
  return 'incomplete';
}

/** Why `bytes` are refused. */
function refusal(bytes: Buffer): string {
  try {
    return read(bytes);
  } catch (error) {
    if (!(error instanceof ClientHelloError)) throw error;
    return error.message;
  }
}

/** A GREASE value. Source: RFC 8701, section 2. */
const grease = { type: 0x5a5a, data: Buffer.from('anything') };

describe('ClientHello', () => {
  const real: readonly (readonly [what: string, bytes: () => Promise<Buffer>, name: string])[] = [
    ['node:tls with a name', () => helloOfNode({ servername: 'a.example' }), 'a.example'],
    ['node:tls to an address, which is no name', () => helloOfNode(), ''],
    [
      'node:tls, TLS 1.2 at most, with ALPN',
      () => helloOfNode({ servername: 'b.example', maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] }),
      'b.example',
    ],
    ['openssl with a name', () => helloOfOpenssl('-servername', 'A.Example.'), 'a.example'],
    ['openssl without', () => helloOfOpenssl('-noservername'), ''],
    ['openssl, TLS 1.2', () => helloOfOpenssl('-tls1_2', '-servername', 'c.example'), 'c.example'],
  ];
  for (const [what, bytes, name] of real)
    it(`of ${what}, in parts and records of any size`, async () => {
      const whole = await bytes();
      const message = whole.subarray(5);
      for (const size of [1, 2, 3, 5, 7, 64, whole.length])
        expect(read(whole, size), `parts of ${String(size)}`).to.equal(`name "${name}"`);
      for (const size of [1, 4, 100]) {
        const split = records(message, size);
        expect(read(split), `records of ${String(size)}`).to.equal(`name "${name}"`);
        expect(read(split, 1), `records of ${String(size)}, byte by byte`).to.equal(`name "${name}"`);
      }
      for (let length = 0; length < whole.length; length += 1)
        expect(read(whole.subarray(0, length)), `${String(length)} bytes of it`).to.equal('incomplete');
      expect(read(Buffer.concat([whole, Buffer.from([20, 3, 3, 0, 1, 1])])), 'and more').to.equal(
        `name "${name}"`,
      );
    });

  const wellFormed: readonly (readonly [why: string, parts: HelloParts, name: string])[] = [
    ['no extensions at all, as in TLS 1.2', {}, ''],
    ['an empty list of extensions', { extensions: [] }, ''],
    [
      'GREASE and unknown extensions',
      { extensions: [grease, serverNames('a.example'), { type: 0xfe0d, data: Buffer.alloc(99) }] },
      'a.example',
    ],
    [
      'an extension without data',
      { extensions: [{ type: 23, data: Buffer.alloc(0) }, serverNames('a.example')] },
      'a.example',
    ],
    [
      'a name in capital letters, with a dot at its end',
      { extensions: [serverNames('WWW.Example.')] },
      'www.example',
    ],
    [
      'a name of another type, of which there is none yet',
      { extensions: [serverNames({ type: 7, name: 'x' }, 'a.example')] },
      'a.example',
    ],
    ['no session', { sessionId: Buffer.alloc(0), extensions: [serverNames('a')] }, 'a'],
  ];
  for (const [why, parts, name] of wellFormed)
    it(`takes ${why}`, () => {
      expect(read(records(helloMessage(parts)))).to.equal(`name "${name}"`);
    });

  it('ignores what follows the message in its record', () => {
    const message = helloMessage({ extensions: [serverNames('a.example')] });
    expect(read(records(Buffer.concat([message, helloMessage({})])))).to.equal('name "a.example"');
  });

  it('ends at 16 KiB, whatever the records are', () => {
    expect(read(hello('a.example', 16_384))).to.equal('name "a.example"');
    const message = helloMessage({ extensions: [serverNames('a.example')] });
    expect(read(records(message, 1), 1)).to.equal('name "a.example"');
  });

  const malformed = 'the ClientHello is malformed';
  const unexpected = 'the client does not begin TLS with a ClientHello';
  const tooLong = 'the ClientHello is longer than 16384 bytes';
  const illegalName = 'the server name in the ClientHello is not valid';
  const notTls = 'the client does not speak TLS';
  const whole = helloMessage({ extensions: [serverNames('a.example')] });
  const nameData = (data: Buffer) => records(helloMessage({ extensions: [{ type: 0, data }] }));
  const refused: readonly (readonly [why: string, bytes: Buffer, refusal: string])[] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), notTls],
    ['its first byte alone', Buffer.from('G'), notTls],
    ['SSH', Buffer.from('SSH-2.0-x\r\n'), notTls],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 3, 1]), notTls],
    ['another major version', Buffer.from([22, 4]), notTls],
    ['an alert record', Buffer.from([21, 3, 3, 0, 2, 1, 0]), notTls],
    ['a record without content', Buffer.from([22, 3, 1, 0, 0]), malformed],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1]), malformed],
    ['another message, such as a ServerHello', records(Buffer.from([2, 0, 0, 1, 0])), unexpected],
    [
      'another record within the message',
      Buffer.concat([records(whole.subarray(0, 9)), Buffer.from([20])]),
      unexpected,
    ],
    [
      'another version within the message',
      Buffer.concat([records(whole.subarray(0, 9)), Buffer.from([22, 2])]),
      unexpected,
    ],
    [
      'a message of more than 16 KiB, as soon as its length is known',
      records(Buffer.from([1, 0, 0x40, 0])),
      tooLong,
    ],
    ['a message of 16 MiB', records(Buffer.from([1, 0xff, 0xff, 0xff])), tooLong],
    ['a message of 16 KiB in records of one byte', records(hello('a', 16_384).subarray(5), 1), tooLong],
    ['a message that ends within its fields', records(Buffer.from([1, 0, 0, 4, 3, 3, 0, 0])), malformed],
    ['an empty message', records(Buffer.from([1, 0, 0, 0])), malformed],
    ['a session of more than 32 bytes', records(helloMessage({ sessionId: Buffer.alloc(33) })), malformed],
    ['no cipher suites', records(helloMessage({ ciphers: Buffer.alloc(0) })), malformed],
    ['no compression method', records(helloMessage({ compressions: Buffer.alloc(0) })), malformed],
    [
      'bytes after the extensions',
      records(helloMessage({ extensions: [], trailer: Buffer.alloc(1) })),
      malformed,
    ],
    [
      'extensions that are longer than their list',
      records(helloMessage({ trailer: Buffer.from([0, 5, 0, 0, 0, 9, 9]) })),
      malformed,
    ],
    [
      'two server_name extensions',
      records(helloMessage({ extensions: [serverNames('a'), serverNames('a')] })),
      illegalName,
    ],
    ['two host names', records(helloMessage({ extensions: [serverNames('a', 'b')] })), illegalName],
    ['an empty name', records(helloMessage({ extensions: [serverNames('')] })), malformed],
    ['a name that is a dot', records(helloMessage({ extensions: [serverNames('.')] })), illegalName],
    ['a name with a NUL', records(helloMessage({ extensions: [serverNames('a\0.example')] })), illegalName],
    ['a name with a space', records(helloMessage({ extensions: [serverNames('a example')] })), illegalName],
    [
      'a name that is not ASCII',
      records(helloMessage({ extensions: [serverNames('\xe4.example')] })),
      illegalName,
    ],
    [
      'a name of 256 characters',
      records(helloMessage({ extensions: [serverNames('a'.repeat(256))] })),
      illegalName,
    ],
    ['no list of names', nameData(Buffer.alloc(0)), malformed],
    ['an empty list of names', nameData(vector(2, Buffer.alloc(0))), malformed],
    ['a list of names that ends within one', nameData(vector(2, Buffer.from([0, 0, 5, 97]))), malformed],
    [
      'bytes after the list of names',
      nameData(Buffer.concat([serverNames('a').data, Buffer.alloc(1)])),
      malformed,
    ],
  ];
  for (const [why, bytes, expected] of refused)
    it(`refuses ${why}`, () => {
      expect(refusal(bytes)).to.equal(expected);
    });
});
