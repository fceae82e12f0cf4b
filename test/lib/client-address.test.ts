import { expect } from 'chai';
import { clientNetwork } from '../../src/lib/client-address.ts';

describe('clientNetwork', () => {
  const same = [
    { why: 'an IPv4 address is one client', of: ['192.0.2.1'], network: '192.0.2.1' },
    { why: 'an IPv4-mapped address counts as IPv4', of: ['::ffff:192.0.2.1'], network: '192.0.2.1' },
    {
      why: 'the addresses of an IPv6 /64 are one client, however they are written',
      of: ['2001:db8::1', '2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:0DB8:0::', '2001:db8::1:2:3:4'],
      network: '2001:db8:0:0::/64',
    },
    {
      why: 'the groups before and after :: count',
      of: ['2001:db8:0:5::9', '2001:db8::5:0:0:0:9', '2001:db8:0:5:1:2:3:4'],
      network: '2001:db8:0:5::/64',
    },
    { why: 'zeros may come first', of: ['::5:1:2:3:4', '0:0:0:5::'], network: '0:0:0:5::/64' },
    { why: 'a zone is no part of the network', of: ['fe80::1%eth0', 'fe80::2'], network: 'fe80:0:0:0::/64' },
    { why: 'loopback is one client', of: ['::1'], network: '::1' },
    { why: 'a client that has left has no address', of: [''], network: '' },
  ];
  for (const { why, of, network } of same) {
    for (const address of of) {
      it(`${why}: ${address}`, () => {
        expect(clientNetwork(address)).to.equal(network);
      });
    }
  }
});
