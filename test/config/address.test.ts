import { expect } from 'chai';
import fc from 'fast-check';
import { isFault, parseSocketAddress, socketAddressText } from '../../src/config/address.ts';

describe('socket address', () => {
  const good = [
    { text: '192.0.2.1:80', host: '192.0.2.1', port: 80, why: 'IPv4' },
    { text: '[2001:DB8::0:1]:80', host: '2001:db8::1', port: 80, why: 'IPv6, in canonical form' },
    { text: '::1:15000', host: '::1', port: 15000, why: 'without brackets the last colon splits' },
    { text: ':::15000', host: '::', port: 15000, why: 'the wildcard without brackets' },
    { text: '[::]:0', host: '::', port: 0, why: 'port 0 is any free port' },
    { text: 'backend.example.com:65535', host: 'backend.example.com', port: 65535, why: 'a host name' },
    { text: 'db_1.local.:5432', host: 'db_1.local.', port: 5432, why: 'underscore and final dot' },
    { text: '0x7f.example:80', host: '0x7f.example', port: 80, why: 'a number, but not at the end' },
    { text: 'a.0xfg:80', host: 'a.0xfg', port: 80, why: 'no hexadecimal number' },
    { text: '[fe80::1%eth0]:53', host: 'fe80::1%eth0', port: 53, why: 'a zone by name' },
    { text: '[fe80::1%2]:53', host: 'fe80::1%2', port: 53, why: 'a zone by number' },
    { text: '192.0.2.1:0443', host: '192.0.2.1', port: 443, why: 'a zero before the port' },
    { text: '[2001:db8::1]:+443', host: '2001:db8::1', port: 443, why: 'a plus sign before the port' },
    { text: 'a.example:+0000443', host: 'a.example', port: 443, why: 'both, after a name' },
    { text: '[::ffff:192.0.2.1]:80', host: '::ffff:192.0.2.1', port: 80, why: 'IPv4-mapped' },
  ];
  for (const { text, host, port, why } of good) {
    it(`${text}: ${why}`, () => {
      const parsed = parseSocketAddress(text);
      if (isFault(parsed)) throw new Error(parsed.what);
      expect([parsed.host, parsed.port]).to.deep.equal([host, port]);
      expect(parseSocketAddress(socketAddressText(parsed))).to.deep.equal(parsed);
    });
  }

  const bad = [
    { text: '', what: 'has no port' },
    { text: '192.0.2.1', what: 'has no port' },
    { text: '[::1]', what: 'has no port' },
    { text: '192.0.2.1:', what: 'has no valid port' },
    { text: '192.0.2.1:65536', what: 'has no valid port' },
    ...['++1', '-0', '+', ' 80', '80 ', '8_0', '065536'].map((port) => ({
      text: `192.0.2.1:${port}`,
      what: 'has no valid port',
    })),
    { text: '192.0.2.1:-1', what: 'has no valid port' },
    { text: '192.0.2.1:0x50', what: 'has no valid port' },
    ...[
      '300.1.1.1',
      '0x7f.0x1',
      '0xa9fea9fe',
      '0XA9FEA9FE',
      '1',
      '127.1',
      '0177.0.0.1',
      'a.example.0x',
      '2130706433.',
    ].map((host) => ({ text: `${host}:80`, what: 'has a host that ends in a number' })),
    { text: '*:80', what: 'has neither an IP address nor a host name' },
    { text: 'a b:80', what: 'has neither an IP address nor a host name' },
    { text: '1:2:3:80', what: 'has neither an IP address nor a host name' },
    { text: ':80', what: 'has no host' },
    { text: '[192.0.2.1]:80', what: 'has no IPv6 address in its brackets' },
    { text: '[::1:80', what: 'has no IPv6 address in its brackets' },
  ];
  for (const { text, what } of bad) {
    it(`${JSON.stringify(text)} ${what}`, () => {
      expect(parseSocketAddress(text)).to.deep.include({ what }).and.to.have.property('remedy').that.is.not
        .empty;
    });
  }

  it('is formatted so that it parses back', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), fc.nat(65535), (host, port) => {
        const parsed = parseSocketAddress(
          host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`,
        );
        if (isFault(parsed)) return false;
        expect(parseSocketAddress(socketAddressText(parsed))).to.deep.equal(parsed);
        return true;
      }),
    );
  });
});
