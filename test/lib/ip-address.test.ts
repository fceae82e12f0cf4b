import { isIP, isIPv6 } from 'node:net';
import { expect } from 'chai';
import fc from 'fast-check';
import { addressFamily, hostText, parseIpAddress } from '../../src/lib/ip-address.ts';

describe('parseIpAddress', () => {
  const cases = [
    { text: '192.0.2.1', family: 'IPv4', canonical: '192.0.2.1' },
    { text: '2001:DB8:0:0:0:0:0:1', family: 'IPv6', canonical: '2001:db8::1' },
    { text: '2001:db8:0:1:0:0:0:1', family: 'IPv6', canonical: '2001:db8:0:1::1' },
    { text: '0:0:0:0:0:0:0:0', family: 'IPv6', canonical: '::' },
    { text: '::FFFF:c000:201', family: 'IPv6', canonical: '::ffff:192.0.2.1', mapped: '192.0.2.1' },
    { text: '::ffff:0.0.0.0', family: 'IPv6', canonical: '::ffff:0.0.0.0', mapped: '0.0.0.0' },
    { text: 'FE80::1%eth0', family: 'IPv6', canonical: 'fe80::1', zone: 'eth0' },
  ];
  for (const { text, family, canonical, mapped, zone = '' } of cases) {
    it(`reads ${text}`, () => {
      const expected = { family, text: canonical, zone, ...(mapped === undefined ? {} : { mapped }) };
      expect(parseIpAddress(text)).to.deep.equal(expected);
    });
  }

  for (const text of ['', '300.1.1.1', '1.2.3', '[::1]', '::1:', 'localhost', '192.0.2.1%eth0', '01.2.3.4']) {
    it(`rejects "${text}"`, () => {
      expect(parseIpAddress(text)).to.equal(undefined);
    });
  }

  it('gives every spelling of an IPv6 address one text, which denotes the same address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const parsed = parseIpAddress(text);
        expect(isIPv6(parsed?.text ?? '')).to.equal(true);
        expect(parseIpAddress(parsed?.text ?? '')).to.deep.equal(parsed);
      }),
    );
  });
});

describe('addressFamily', () => {
  const families = { 0: undefined, 4: 'IPv4', 6: 'IPv6' };

  it('is the family that the kernel uses for an address, and undefined for any other text', () => {
    const texts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain(), fc.string());
    fc.assert(
      fc.property(texts, (text) => {
        expect(addressFamily(text)).to.equal(families[isIP(text) as keyof typeof families]);
      }),
    );
  });
});

describe('hostText', () => {
  const cases = [
    ['192.0.2.1', '192.0.2.1'],
    ['::1', '[::1]'],
    ['fe80::1%eth0', '[fe80::1%eth0]'],
  ] as const;
  for (const [text, expected] of cases) {
    it(`writes ${text} before a port as ${expected}`, () => {
      const address = parseIpAddress(text);
      expect(address && hostText(address)).to.equal(expected);
    });
  }
});
