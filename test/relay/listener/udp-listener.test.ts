import { expect } from 'chai';
import { listenUdp } from '../../../src/relay/listener/udp-listener.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { testEngine } from '../engines.ts';
import { addressText, config, datagram, endpoint, keptLog, listenOf, Loopback, split } from '../loopback.ts';

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
              sockets: socket.sockets,
              isIpv6Only: ipv6Only || isIpv6OnlySystem,
              stopReceiving: () => socket.stopReceiving(),
              close: () => socket.close(),
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

  if (testEngine.name === 'kernel') {
    it('whose socket a successor has, too, reads no more and passes on the answers that are under way', async () => {
      const asked = Promise.withResolvers<() => void>();
      const remote = await loopback.udp('127.0.0.1', (datagramOf, { address, port }, self) => {
        asked.resolve(() => {
          self.send(datagramOf, port, address);
        });
      });
      const only = endpoint(addressText(remote.address()), {}, { no_tcp: true, use_udp: true });
      const clock = new FakeClock();
      const { relay } = await loopback.relay(config(only), { clock });
      const { host, port } = split(listenOf(relay));
      const client = await loopback.udp();
      client.send('x', port, host);
      const answer = await asked.promise;
      const released = relay.release();
      const got = datagram(client);
      answer();
      expect(String(await got)).to.equal('x');
      client.send('for the successor', port, host);
      clock.advance(2000);
      await released;
      expect(relay.status().endpoints[0]?.associations.fromClientBytes).to.equal(1);
    });
  }
});
