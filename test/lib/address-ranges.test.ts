import { expect } from 'chai';
import fc from 'fast-check';
import { isWithin } from '../../src/lib/address-ranges.ts';

describe('ranges of addresses', () => {
  const cases = [
    { ranges: ['192.0.2.1'], address: '192.0.2.1', is: true, why: 'the address itself' },
    { ranges: ['192.0.2.1'], address: '192.0.2.2', is: false, why: 'the address beside it' },
    { ranges: ['192.0.2.0/25'], address: '192.0.2.127', is: true, why: 'the last of a range' },
    { ranges: ['192.0.2.0/25'], address: '192.0.2.128', is: false, why: 'the first after a range' },
    { ranges: ['192.0.2.77/25'], address: '192.0.2.1', is: true, why: 'bits of the host do not count' },
    { ranges: ['10.0.0.0/8', '192.0.2.1'], address: '192.0.2.1', is: true, why: 'the second of two' },
    { ranges: ['2001:db8::/33'], address: '2001:db8:7fff::1', is: true, why: 'within a range of IPv6' },
    { ranges: ['2001:db8::/33'], address: '2001:db8:8000::', is: false, why: 'after a range of IPv6' },
    { ranges: ['::1'], address: '0:0:0:0:0:0:0:1', is: true, why: 'however it is spelt' },
    {
      ranges: ['10.0.0.0/8'],
      address: '::ffff:10.1.2.3',
      is: true,
      why: 'an IPv4-mapped client is an IPv4 client',
    },
    { ranges: ['10.0.0.0/8'], address: '::FFFF:a01:203', is: true, why: 'however that is spelt' },
    {
      ranges: ['::ffff:10.0.0.0/104'],
      address: '10.1.2.3',
      is: true,
      why: 'an IPv4-mapped range contains IPv4 clients',
    },
    {
      ranges: ['::ffff:10.0.0.0/104'],
      address: '11.1.2.3',
      is: false,
      why: 'an IPv4-mapped range has an end',
    },
    {
      ranges: ['::ffff:10.0.0.1'],
      address: '10.0.0.1',
      is: true,
      why: 'an IPv4-mapped address contains the IPv4 client',
    },
    { ranges: ['::/0'], address: '10.0.0.1', is: false, why: 'no IPv4 client is within all of IPv6' },
    { ranges: ['::/0'], address: '::ffff:10.0.0.1', is: false, why: 'nor an IPv4-mapped one' },
    { ranges: ['::/0'], address: '2001:db8::1', is: true, why: 'all of IPv6' },
    { ranges: ['0.0.0.0/0'], address: '203.0.113.9', is: true, why: 'all of IPv4' },
    { ranges: ['0.0.0.0/0'], address: '::1', is: false, why: 'no IPv6 client is within all of IPv4' },
    { ranges: ['fe80::/10'], address: 'fe80::1%eth0', is: true, why: 'the zone does not count' },
    { ranges: ['0.0.0.0/0', '::/0'], address: '', is: false, why: 'a client that is gone has no address' },
    { ranges: ['0.0.0.0/0', '::/0'], address: 'a.example', is: false, why: 'a host name is not an address' },
  ];
  for (const { ranges, address, is, why } of cases) {
    it(`${ranges.join(', ')} ${is ? 'contain' : 'do not contain'} "${address}": ${why}`, () => {
      expect(isWithin(ranges, address)).to.equal(is);
    });
  }

  const ipv4 = fc.nat(2 ** 32 - 1);
  it('contain the addresses with the same first bits, for IPv4', () => {
    fc.assert(
      fc.property(ipv4, fc.oneof(ipv4, fc.nat(31)), fc.nat(32), (range, other, bits) => {
        const address = other < 32 ? (range ^ (1 << other)) >>> 0 : other; // differs in one bit
        const shift = BigInt(32 - bits);
        const is = BigInt(range) >> shift === BigInt(address) >> shift;
        expect(isWithin([`${dotted(range)}/${String(bits)}`], dotted(address))).to.equal(is);
      }),
      { numRuns: 1000 },
    );
  });

  const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
  it('contain the addresses with the same first bits, for IPv6', () => {
    fc.assert(
      fc.property(groups, fc.nat(127), fc.nat(128), (range, flipped, bits) => {
        fc.pre(range[0] !== 0); // no IPv4-mapped ones
        const address = range.map((group, at) =>
          at === flipped >> 4 ? group ^ (0x8000 >> (flipped & 15)) : group,
        );
        fc.pre(address[0] !== 0);
        expect(isWithin([`${colons(range)}/${String(bits)}`], colons(address))).to.equal(flipped >= bits);
      }),
      { numRuns: 1000 },
    );
  });
});

function dotted(value: number): string {
  return [24, 16, 8, 0].map((shift) => String((value >>> shift) & 255)).join('.');
}

function colons(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}
