import { existsSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { eventually } from '../../support/eventually.ts';
import { testEngine } from '../engines.ts';
import { describeKernel, ownSockets } from '../kernel/support.ts';
import { config, endpoint, listenOf, Loopback, split } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/**
 * Seconds until the keepalive timer of each connection of local or remote `port` fires, as Linux lists it; NaN if
 * none runs.
 */
function keepalives(port: number, side: 'local' | 'remote'): number[] {
  const hex = port.toString(16).padStart(4, '0').toUpperCase();
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [, local = '', remote = '', state, , timer = ''] = line.trim().split(/ +/);
    const isWanted = (side === 'local' ? local : remote).endsWith(`:${hex}`) && state === '01'; // established
    if (!isWanted) return [];
    const [kind, when = ''] = timer.split(':');
    return kind === '02' ? parseInt(when, 16) / 100 : NaN; // 02 = keepalive, in hundredths of a second
  });
}

describe('relay, keepalive', () => {
  if (!existsSync('/proc/self/net/tcp')) return;

  /** The keepalive timers of both sockets of the relay for one quiet connection. */
  async function quiet(tcpKeepalive: number): Promise<() => number[]> {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote, {}, { tcp_keepalive: tcpKeepalive })));
    const client = await loopback.client(listenOf(relay));
    client.write('x');
    await once(client, 'data');
    return () => [
      ...keepalives(split(listenOf(relay)).port, 'local'),
      ...keepalives(split(remote).port, 'remote'),
    ];
  }

  it('probes a quiet peer after tcp_keepalive, on both sides', async () => {
    const timers = await quiet(700);
    await eventually('two timers', () => timers().filter((seconds) => seconds > 600).length === 2);
    expect(Math.max(...timers())).to.be.at.most(700);
  });

  it('sends no probes if tcp_keepalive is 0', async () => {
    const timers = await quiet(0);
    await eventually('both acknowledged', () => timers().length === 2 && timers().every(Number.isNaN));
  });
});

describeKernel('relay, settings of sockets', () => {
  /** The value of an option of both sockets of the relay for one connection; the first is the client's. */
  async function valuesOf(network: RealmNetwork, level: number, option: number): Promise<number[]> {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote, {}, network)));
    const listen = listenOf(relay);
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    const ports = [split(listen).port, split(remote).port];
    const found = new Map<number, number>();
    for (const socket of ownSockets()) {
      const [local, peer] = [socket.localAddress().port, socket.remoteAddress().port];
      // The sockets of the test itself have the other direction.
      if (local === ports[0] && peer !== 0) found.set(0, socket.option(level, option));
      if (peer === ports[1]) found.set(1, socket.option(level, option));
      socket.close();
    }
    return [found.get(0) ?? NaN, found.get(1) ?? NaN];
  }

  const { IPPROTO_TCP, IPPROTO_IP, TCP_USER_TIMEOUT, IP_TOS } = constants;

  if (testEngine.name === 'kernel') {
    for (const [why, network, expected] of [
      ['by default', {}, 60_000],
      ['as configured', { tcp_user_timeout: 90 }, 90_000],
      [
        'at least as long as keepalive takes',
        { tcp_user_timeout: 1, tcp_keepalive: 10, tcp_keepalive_probe: 2 },
        30_000,
      ],
      ['as the system has it', { tcp_user_timeout: 0 }, 0],
    ] as const) {
      it(`limits how long sent bytes stay unacknowledged by tcp_user_timeout, ${why}`, async () => {
        expect(await valuesOf(network, IPPROTO_TCP, TCP_USER_TIMEOUT)).to.deep.equal([expected, expected]);
      });
    }
  }

  it('marks the packets of both sides with dscp', async () => {
    expect(await valuesOf({ dscp: 46 }, IPPROTO_IP, IP_TOS)).to.deep.equal([184, 184]);
  });

  if (testEngine.name === 'kernel') {
    it('marks the datagrams of both sides with dscp, and those of new clients as a reload has it', async () => {
      const remote = await loopback.udpEcho();
      const marked = (dscp: number): RelayConfig =>
        config(endpoint(remote, {}, { no_tcp: true, use_udp: true, dscp }));
      const { relay } = await loopback.relay(marked(46));
      const listen = split(listenOf(relay)).port;
      const values = (): number[] => {
        const [answers, questions]: number[][] = [[], []];
        for (const socket of ownSockets()) {
          const [local, peer] = [socket.localAddress().port, socket.remoteAddress().port];
          if (local === listen) answers?.push(socket.option(IPPROTO_IP, IP_TOS));
          if (peer === split(remote).port) questions?.push(socket.option(IPPROTO_IP, IP_TOS));
          socket.close();
        }
        return [...(answers ?? []), ...(questions ?? [])];
      };
      await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x');
      expect(values()).to.deep.equal([184, 184]);
      await relay.reload(marked(0));
      await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x');
      expect(values().sort()).to.deep.equal([0, 0, 184]);
    });
  }
});
