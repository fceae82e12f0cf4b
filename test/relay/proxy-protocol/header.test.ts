import { expect } from 'chai';
import fc from 'fast-check';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import { clientIp } from '../../../src/lib/client-address.ts';
import { proxyHeader, ProxyHeaderError, parseProxyHeader } from '../../../src/relay/proxy-protocol/header.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const version = fc.constantFrom(1 as const, 2 as const);
const peer = (address: fc.Arbitrary<string>) => fc.record({ address, port });
const ipv6 = fc.ipV6().map((text) => parseIpAddress(text)?.text ?? '::');
const addresses = fc.oneof(
  fc.record({ source: peer(fc.ipV4()), destination: peer(fc.ipV4()) }),
  fc.record({ source: peer(ipv6), destination: peer(ipv6) }),
);

/** What a reader knows them as: two mapped addresses are IPv4. */
function known(address: string, isBothIpv4: boolean): string {
  return isBothIpv4 || !parseIpAddress(address)?.mapped ? clientIp(address) : address;
}

describe('PROXY header', () => {
  it('is read as it was written, wherever it is cut, and what follows is left', () => {
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
              source: { ...source, address: known(source.address, isBothIpv4) },
              destination: { ...destination, address: known(destination.address, isBothIpv4) },
            },
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never crashes: any bytes are a header, the start of one, or refused', () => {
    const start = fc.constantFrom(
      '',
      'PROXY ',
      'PROXY TCP4 ',
      '\r\n\r\n\0\r\nQUIT\n',
      '\r\n\r\n\0\r\nQUIT\n!',
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (text, more) => {
        try {
          parseProxyHeader(Buffer.concat([Buffer.from(text, 'latin1'), more]));
        } catch (error) {
          expect(error).to.be.instanceOf(ProxyHeaderError);
        }
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
    it(`names in version ${String(each)} ${from} and ${to}`, () => {
      const header = proxyHeader(each, {
        source: { address: from, port: 1 },
        destination: { address: to, port: 2 },
      });
      expect(header.toString('latin1')).to.equal(text);
    });
  }

  const head = '\r\n\r\n\0\r\nQUIT\n';
  const none = [
    { why: 'UNKNOWN', text: 'PROXY UNKNOWN\r\n' },
    { why: 'UNKNOWN with addresses', text: 'PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n' },
    { why: 'LOCAL', text: `${head}\x20\x11\0\x0c${'\x01'.repeat(12)}` },
    { why: 'UNIX', text: `${head}\x21\x31\0\xd8${'\0'.repeat(216)}` },
    { why: 'UDP', text: `${head}\x21\x12\0\x0c${'\x01'.repeat(12)}` },
  ];
  for (const { why, text } of none) {
    it(`names no client: ${why}`, () => {
      expect(parseProxyHeader(Buffer.from(text, 'latin1'))).to.deep.equal({ length: text.length });
    });
  }

  it('may hold other things behind its addresses, up to 4,096 bytes in all', () => {
    const header = (length: number): Buffer => {
      const bytes = Buffer.alloc(16 + length);
      bytes.write(`${head}\x21\x11`, 'latin1');
      bytes.writeUInt16BE(length, 14);
      return bytes;
    };
    expect(parseProxyHeader(header(4080))).to.have.property('length', 4096);
    expect(() => parseProxyHeader(header(4081))).to.throw(ProxyHeaderError, 'longer than 4096 bytes');
  });

  for (const text of [
    'GET / HTTP/1.1\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
    'PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(100)}`,
    `${head}\x31\x11\0\x0c`,
    `${head}\x21\x11\0\x0b${'\0'.repeat(11)}`,
  ]) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      expect(() => parseProxyHeader(Buffer.from(text, 'latin1'))).to.throw(ProxyHeaderError);
    });
  }
});
