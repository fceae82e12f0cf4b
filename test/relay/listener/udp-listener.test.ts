import { expect } from 'chai';
import { listenUdp } from '../../../src/relay/listener/udp-listener.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { keptLog, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('UDP listener', () => {
  for (const { address, ipv6Only, isIpv6OnlySystem, families, warnings, why } of [
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
  ]) {
    it(`${address}, ipv6_only ${String(ipv6Only)}, of the socket ${String(isIpv6OnlySystem)}: ${why}`, async () => {
      const { log, lines } = keptLog();
      const listener = await listenUdp({
        address,
        port: 0,
        ipv6Only,
        device: undefined,
        dscp: () => 0,
        log,
        udp: {
          ...nodeEngine.udp,
          listen: async (options) => {
            const socket = await nodeEngine.udp.listen(options);
            return {
              port: socket.port,
              isIpv6Only: ipv6Only || isIpv6OnlySystem,
              close: () => {
                socket.close();
              },
            };
          },
        },
        associate: () => undefined,
      });
      loopback.onClose(() => listener.close());
      expect(listener.families).to.deep.equal(families);
      expect(lines.filter(({ level }) => level === 'warn')).to.have.length(warnings);
    });
  }
});
