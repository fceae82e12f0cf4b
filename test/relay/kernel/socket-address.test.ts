import { expect } from 'chai';
import fc from 'fast-check';
import { parseIpAddress } from '../../../src/lib/ip-address.ts';
import { SocketAddressMemory } from '../../../src/relay/kernel/socket-address.ts';
import { describeKernel } from './support.ts';

const port = fc.integer({ min: 0, max: 65_535 });

describeKernel('socket addresses of the kernel', () => {
  it('keep every IPv4 and IPv6 address and port', () => {
    const memory = new SocketAddressMemory();
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (address, number) => {
        memory.set({ address, port: number });
        const kept = memory.get();
        expect(kept.port).to.equal(number);
        expect(parseIpAddress(kept.address)).to.deep.equal(parseIpAddress(address));
      }),
    );
  });

  it('keep nothing of an earlier address', () => {
    const memory = new SocketAddressMemory();
    memory.set({ address: 'fe80::1%1', port: 1 });
    memory.set({ address: '::', port: 0 });
    expect([...memory.bytes.subarray(2)]).to.deep.equal(Array(26).fill(0));
  });

  for (const [why, address, expected] of [
    ['the zone of a link-local address is written as a name', 'fe80::1%lo', 'fe80::1%lo'],
    ['a number names a zone, too', 'fe80::1%1', 'fe80::1%lo'],
    ['an address that is not link-local has no zone', '2001:db8::1', '2001:db8::1'],
    ['an IPv4-mapped address ends in dotted decimal', '::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ] as const) {
    it(`${why}: ${address}`, () => {
      const memory = new SocketAddressMemory();
      memory.set({ address, port: 1 });
      expect(memory.get().address).to.equal(expected);
    });
  }

  for (const [why, address, number] of [
    ['no address', 'example.com', 1],
    ['no address', '', 1],
    ['no IPv4 address', '1.2.3.4.5', 1],
    ['no IPv4 address', '1.2.3', 1],
    ['a number that an octet does not hold', '1.2.3.256', 1],
    ['a number that some read as octal', '1.2.3.010', 1],
    ['a port that is too large', '::1', 65_536],
    ['a negative port', '::1', -1],
    ['a port that is no integer', '::1', 1.5],
  ] as const) {
    it(`refuse ${why}: "${address}", port ${String(number)}`, () => {
      expect(() => new SocketAddressMemory().set({ address, port: number })).to.throw('EINVAL');
    });
  }

  it('are empty before the kernel writes one', () => {
    const memory = new SocketAddressMemory();
    memory.set({ address: '::1', port: 1 });
    expect(memory.reset().get()).to.deep.equal({ address: '', port: 0 });
  });
});
