import { expect } from 'chai';
import { listenUdp } from '../../../src/relay/listener/udp-listener.ts';
import { keptLog, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('UDP listener where net.ipv6.bindv6only may be 1', () => {
  const cases = [
    {
      address: '::',
      ipv6Only: false,
      isIpv6OnlySystem: true,
      families: ['IPv6'],
      warnings: 1,
      why: 'IPv4 does not arrive, which is logged',
    },
    {
      address: '::',
      ipv6Only: false,
      isIpv6OnlySystem: false,
      families: ['IPv4', 'IPv6'],
      warnings: 0,
      why: 'both families arrive',
    },
    {
      address: '::',
      ipv6Only: true,
      isIpv6OnlySystem: true,
      families: ['IPv6'],
      warnings: 0,
      why: 'IPv4 is not wanted',
    },
    {
      address: '127.0.0.1',
      ipv6Only: false,
      isIpv6OnlySystem: true,
      families: ['IPv4'],
      warnings: 0,
      why: 'IPv4 sockets are not affected',
    },
  ];
  for (const { address, ipv6Only, isIpv6OnlySystem, families, warnings, why } of cases) {
    it(`${address}, ipv6_only ${String(ipv6Only)}, the system's ${String(isIpv6OnlySystem)}: ${why}`, async () => {
      const { log, lines } = keptLog();
      const associate = (): never => {
        throw new Error('no client comes');
      };
      const listener = await listenUdp({ address, port: 0, ipv6Only, isIpv6OnlySystem, log, associate });
      loopback.onClose(() => listener.close());
      expect(listener.families).to.deep.equal(families);
      expect(lines.filter(({ level }) => level === 'warn')).to.have.length(warnings);
    });
  }
});
