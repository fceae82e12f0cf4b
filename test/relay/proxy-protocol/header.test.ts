import { mock } from 'node:test';
import { expect } from 'chai';
import fc from 'fast-check';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import { clientIp } from '../../../src/lib/client-address.ts';
import { ProxyHeaderReader } from '../../../src/relay/proxy-protocol/header-reader.ts';
import {
  maxHeaderBytes,
  parseProxyHeader,
  proxyHeader,
  ProxyHeaderError,
  type ReadHeader,
} from '../../../src/relay/proxy-protocol/header.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const version = fc.constantFrom(1 as const, 2 as const);
const peer = (address: fc.Arbitrary<string>) => fc.record({ address, port });
const ipv6 = fc.ipV6().map((text) => parseIpAddress(text)?.text ?? '::');
const addresses = fc.oneof(
  fc.record({ source: peer(fc.ipV4()), destination: peer(fc.ipV4()) }),
  fc.record({ source: peer(ipv6), destination: peer(ipv6) }),
);

const head = '\r\n\r\n\0\r\nQUIT\n';

/** The address that a reader returns: two mapped addresses are read as IPv4. */
function readAs(address: string, isBothIpv4: boolean): string {
  return isBothIpv4 || !parseIpAddress(address)?.mapped ? clientIp(address) : address;
}

/** Bytes that resemble a header up to some point. */
const hostile = fc
  .tuple(
    fc.constantFrom(
      '',
      'PROXY ',
      'PROXY TCP4 ',
      'PROXY TCP6 ',
      'PROXY UNKNOWN',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 ',
      head,
      `${head}\x20`,
      `${head}\x21\x11\0`,
      `${head}\x21\x21\0`,
      `${head}\x21\x31\x0f`,
    ),
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .string({
          unit: fc.constantFrom('0', '1', '9', '.', ':', 'a', 'F', '%', ' ', '\r', '\n', '\t'),
          maxLength: 120,
        })
        .map((text) => Buffer.from(text)),
    ),
    fc.constantFrom('', '\r\n'),
  )
  .map(([start, middle, end]) => Buffer.concat([Buffer.from(start, 'latin1'), middle, Buffer.from(end)]));

/** What the parser returns, or the `ProxyHeaderError` that it throws; any other error fails the test. */
function outcome(bytes: Buffer): ReadHeader | ProxyHeaderError | undefined {
  try {
    return parseProxyHeader(bytes);
  } catch (error) {
    if (error instanceof ProxyHeaderError) return error;
    throw error;
  }
}

describe('PROXY header', () => {
  it('is read as it was written, wherever it is split, without what follows', () => {
    fc.assert(
      fc.property(
        version,
        addresses,
        fc.uint8Array({ maxLength: 20 }),
        (each, { source, destination }, rest) => {
          const header = proxyHeader(each, { source, destination });
          for (let cut = 0; cut < header.length; cut += 1) {
            expect(parseProxyHeader(header.subarray(0, cut))).to.equal(undefined);
          }
          const isBothIpv4 = ![source, destination].some(({ address }) => clientIp(address).includes(':'));
          expect(parseProxyHeader(Buffer.concat([header, rest]))).to.deep.equal({
            length: header.length,
            addresses: {
              source: { ...source, address: readAs(source.address, isBothIpv4) },
              destination: { ...destination, address: readAs(destination.address, isBothIpv4) },
            },
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('is valid, incomplete or refused, whatever the bytes', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        const header = outcome(bytes);
        if (header === undefined || header instanceof ProxyHeaderError) return;
        expect(header.length).to.be.at.most(Math.min(bytes.length, maxHeaderBytes));
        for (const { address, port } of Object.values(header.addresses ?? {})) {
          expect(parseIpAddress(address)).to.include({ text: address, zone: '' });
          expect(port).to.be.within(0, 65_535);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('is decided by its first 107 bytes in version 1, and by its first 4,096 in version 2', () => {
    fc.assert(
      fc.property(hostile, fc.uint8Array({ maxLength: 200 }), (bytes, more) => {
        const max = bytes[0] === 0x50 ? 107 : maxHeaderBytes; // P
        const start = Buffer.concat([bytes, Buffer.alloc(max)]).subarray(0, max);
        expect(outcome(start)).to.not.equal(undefined);
        expect(outcome(Buffer.concat([start, more]))).to.deep.equal(outcome(start));
      }),
      { numRuns: 2000 },
    );
  });

  const written = [
    { version: 1, from: '192.0.2.1', to: '192.0.2.2', text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n' },
    {
      version: 1,
      from: '::ffff:192.0.2.1',
      to: '::ffff:192.0.2.2',
      text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    },
    { version: 1, from: '2001:db8::1', to: '::1', text: 'PROXY TCP6 2001:db8::1 ::1 1 2\r\n' },
    { version: 1, from: '192.0.2.1', to: '::1', text: 'PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n' },
    { version: 1, from: 'fe80::1%eth0', to: 'fe80::2', text: 'PROXY TCP6 fe80::1 fe80::2 1 2\r\n' },
    {
      version: 2,
      from: '::ffff:192.0.2.1',
      to: '192.0.2.2',
      text: '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\0\x01\0\x02',
    },
  ] as const;
  for (const { version: each, from, to, text } of written) {
    it(`states ${from} and ${to} in version ${String(each)}`, () => {
      const header = proxyHeader(each, {
        source: { address: from, port: 1 },
        destination: { address: to, port: 2 },
      });
      expect(header.toString('latin1')).to.equal(text);
    });
  }

  const none = [
    { why: 'UNKNOWN', text: 'PROXY UNKNOWN\r\n' },
    { why: 'UNKNOWN with addresses', text: 'PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n' },
    { why: 'LOCAL', text: `${head}\x20\x11\0\x0c${'\x01'.repeat(12)}` },
    { why: 'UNIX', text: `${head}\x21\x31\0\xd8${'\0'.repeat(216)}` },
    { why: 'UDP', text: `${head}\x21\x12\0\x0c${'\x01'.repeat(12)}` },
    { why: 'UNSPEC', text: `${head}\x21\0\0\0` },
    { why: 'LOCAL of an unknown family', text: `${head}\x20\xff\0\0` },
    { why: 'UNKNOWN in a line of 107 bytes', text: `PROXY UNKNOWN ${'x'.repeat(91)}\r\n` },
  ];
  for (const { why, text } of none) {
    it(`names no client: ${why}`, () => {
      expect(parseProxyHeader(Buffer.from(text, 'latin1'))).to.deep.equal({ length: text.length });
    });
  }

  it('may contain fields after its addresses, up to 4,096 bytes in all', () => {
    const header = (length: number): Buffer => {
      const bytes = Buffer.alloc(16 + length);
      bytes.write(`${head}\x21\x11`, 'latin1');
      bytes.writeUInt16BE(length, 14);
      return bytes;
    };
    expect(parseProxyHeader(header(4080))).to.have.property('length', 4096);
    expect(() => parseProxyHeader(header(4081))).to.throw(ProxyHeaderError, 'longer than 4096 bytes');
  });

  const refused = [
    { text: 'GET / HTTP/1.1\r\n', why: 'no header' },
    { text: '\r\n\r\n\0\r\nQUIT\r', why: 'a wrong signature' },
    { text: 'proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n', why: 'version 1 in lower case' },
    { text: 'PROXY TCP4 ::1 ::1 1 2\r\n', why: 'IPv6 addresses with TCP4' },
    { text: 'PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n', why: 'IPv4 addresses with TCP6' },
    { text: 'PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n', why: 'an unknown family' },
    { text: 'PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n', why: 'a family of another protocol' },
    { text: 'PROXY UNKNOWNS\r\n', why: 'a word that begins like a family' },
    { text: 'PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n', why: 'two spaces' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n', why: 'a trailing space' },
    { text: 'PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n', why: 'a tab in place of a space' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n', why: 'a field too few' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n', why: 'a field too many' },
    { text: 'PROXY TCP4\r\n', why: 'no addresses' },
    { text: 'PROXY \r\n', why: 'no family' },
    { text: 'PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n', why: 'a leading zero in an address' },
    { text: 'PROXY TCP4 0x7f.0.0.1 192.0.2.2 1 2\r\n', why: 'a hexadecimal IPv4 address' },
    { text: 'PROXY TCP4 127.1 192.0.2.2 1 2\r\n', why: 'a short IPv4 address' },
    { text: 'PROXY TCP4 a.example 192.0.2.2 1 2\r\n', why: 'a host name' },
    { text: 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', why: 'a zone of another machine' },
    { text: 'PROXY TCP6 [::1] ::1 1 2\r\n', why: 'brackets' },
    { text: 'PROXY TCP6 1::2::3 ::1 1 2\r\n', why: 'two double colons' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n', why: 'a port above 65535' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n', why: 'a negative port' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n', why: 'a sign' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n', why: 'a leading zero in a port' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1e3 2\r\n', why: 'a number in another notation' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n', why: 'a line that ends without CR' },
    { text: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx', why: 'CR without LF' },
    { text: 'PROXY UNKNOWN a\nb\r\n', why: 'a line break in what UNKNOWN ignores' },
    { text: 'PROXY UNKNOWN \0\r\n', why: 'a control character in what UNKNOWN ignores' },
    { text: 'PROXY UNKNOWN \xe4\r\n', why: 'a character that is not of US-ASCII' },
    { text: `PROXY UNKNOWN ${'x'.repeat(93)}`, why: 'a line of 107 bytes without its end' },
    { text: `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, why: 'a line of 108 bytes' },
    { text: `${head}\x31\x11\0\x0c${'\0'.repeat(12)}`, why: 'version 3' },
    { text: `${head}\x11\x11\0\x0c${'\0'.repeat(12)}`, why: 'version 1 in binary' },
    { text: `${head}\x22\x11\0\x0c${'\0'.repeat(12)}`, why: 'an unknown command' },
    { text: `${head}\x21\x41\0\x0c${'\0'.repeat(12)}`, why: 'an unknown address family' },
    { text: `${head}\x21\x13\0\x0c${'\0'.repeat(12)}`, why: 'an unknown transport' },
    { text: `${head}\x21\x11\0\x0b`, why: 'too short for IPv4 addresses' },
    { text: `${head}\x21\x21\0\x23`, why: 'too short for IPv6 addresses' },
    { text: `${head}\x21\x12\0\x0b`, why: 'too short for the addresses of UDP' },
    { text: `${head}\x21\x31\0\xd7`, why: 'too short for the addresses of UNIX' },
    { text: `${head}\x20\x00\xff\xff`, why: 'LOCAL above 4,096 bytes' },
    ...['toString', 'constructor', 'hasOwnProperty', '__proto__', 'valueOf'].map((word) => ({
      text: `PROXY ${word} 127.0.0.1 127.0.0.2 1 2\r\n`,
      why: 'a property of Object.prototype as the family',
    })),
    { text: 'PROXY toString 127.0.0.1 a\nb 1 2\r\n', why: 'a line break as an address' },
  ];
  for (const { text, why } of refused) {
    it(`is refused: ${why}: ${JSON.stringify(text.slice(0, 60))}`, () => {
      expect(() => parseProxyHeader(Buffer.from(text, 'latin1'))).to.throw(ProxyHeaderError);
    });
  }
});

describe('PROXY header reader', () => {
  type Reading = { header: unknown; rest: Buffer };

  /** Feeds `parts` to a reader. @returns the addresses or the error, and what was passed on. */
  function read(parts: readonly Uint8Array[]): Reading {
    const reading: Reading = { header: 'pending', rest: Buffer.alloc(0) };
    const next = {
      take: (part: Uint8Array) => {
        reading.rest = Buffer.concat([reading.rest, part]);
        return true;
      },
      end: () => undefined,
      maxBytes: Infinity,
      target: undefined,
      moved: () => undefined,
      blocked: () => undefined,
    };
    const settings = { timeoutMs: 0, trustedSources: [] };
    const reader = new ProxyHeaderReader(next, settings, new FakeClock(), {
      onHeader: (addresses) => (reading.header = addresses),
      onError: (error) => (reading.header = error.message),
    });
    for (const part of parts) {
      const reused = Buffer.from(part);
      reader.take(reused);
      reused.fill(0xee);
    }
    return reading;
  }

  it('comes to the same result however the bytes are split', () => {
    const valid = fc.tuple(version, addresses).map(([each, of]) => proxyHeader(each, of));
    fc.assert(
      fc.property(
        fc.oneof(valid, hostile),
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 20 }),
        (start, rest, sizes) => {
          const bytes = Buffer.concat([start, rest]);
          const parts: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = sizes[i % sizes.length] ?? 1;
            parts.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(read(parts)).to.deep.equal(read([bytes]));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('copies a header that is sent byte by byte a constant number of times', () => {
    const header = Buffer.alloc(maxHeaderBytes);
    header.write('\r\n\r\n\0\r\nQUIT\n\x20\0\x0f\xf0', 'latin1'); // LOCAL, 4,080 bytes
    const parts = [...header].map((byte) => Buffer.from([byte]));
    const spies = [mock.method(Buffer, 'alloc'), mock.method(Buffer, 'concat')];
    expect(read(parts).header).to.equal(undefined);
    for (const spy of spies) spy.mock.restore();
    const results = spies.flatMap(({ mock: { calls } }) => calls.map(({ result }) => result?.length ?? 0));
    const allocatedBytes = results.reduce((sum, length) => sum + length, 0);
    expect(allocatedBytes).to.be.within(maxHeaderBytes, 3 * maxHeaderBytes);
  });
});
