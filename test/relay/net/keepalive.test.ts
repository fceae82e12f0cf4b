import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { KernelSocket } from '../../../src/relay/kernel/kernel-socket.ts';
import { applySettings, hasSettings, noSettings } from '../../../src/relay/net/kernel-settings.ts';
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
  async function valuesOf(
    network: RealmNetwork,
    level: number,
    option: number,
  ): Promise<(number | undefined)[]> {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote, {}, network)));
    return valuesOfClient(listenOf(relay), remote, (socket) => socket.option(level, option));
  }

  /** What `value` is for both sockets of the relay for a new connection. */
  async function valuesOfClient<T>(
    listen: string,
    remote: string,
    value: (socket: KernelSocket) => T,
  ): Promise<(T | undefined)[]> {
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    const clientPort = (client.address() as AddressInfo).port;
    let [ofClient, ofUpstream]: (T | undefined)[] = [];
    for (const socket of ownSockets()) {
      // The sockets of the test itself have the other direction.
      if (socket.remoteAddress().port === clientPort) ofClient = value(socket);
      if (socket.remoteAddress().port === split(remote).port) ofUpstream = value(socket);
      socket.close();
    }
    return [ofClient, ofUpstream];
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

  it('gives both sides the keepalive of the configuration, also clients of a socket that a reload keeps open', async () => {
    const { SOL_SOCKET, SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT } = constants;
    const settings = (socket: KernelSocket): number[] => [
      socket.option(SOL_SOCKET, SO_KEEPALIVE),
      ...[TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map((option) => socket.option(IPPROTO_TCP, option)),
    ];
    const first = await loopback.echo();
    const { relay } = await loopback.relay(
      config(endpoint(first, {}, { tcp_keepalive: 70, tcp_keepalive_probe: 5 })),
    );
    const listen = listenOf(relay);
    const wanted = [1, 70, 70, 5];
    expect(await valuesOfClient(listen, first, settings)).to.deep.equal([wanted, wanted]);

    const second = await loopback.echo(); // another one, so that its sockets are told apart
    await relay.reload(config(endpoint(second, {}, { tcp_keepalive: 80, tcp_keepalive_probe: 4 })));
    const changed = [1, 80, 80, 4];
    expect(await valuesOfClient(listen, second, settings)).to.deep.equal([changed, changed]);

    const third = await loopback.echo();
    await relay.reload(config(endpoint(third, {}, { tcp_keepalive: 0, tcp_user_timeout: 0 })));
    const off = (socket: KernelSocket): number[] => [
      socket.option(SOL_SOCKET, SO_KEEPALIVE),
      ...(testEngine.name === 'kernel' ? [socket.option(IPPROTO_TCP, TCP_USER_TIMEOUT)] : []),
    ];
    const none = testEngine.name === 'kernel' ? [0, 0] : [0];
    expect(await valuesOfClient(listen, third, off)).to.deep.equal([none, none]);
    expect(listenOf(relay)).to.equal(listen);
  });

  it('finds out whether a client has what its listening socket has', () => {
    const socket = KernelSocket.open('127.0.0.1', { type: 'stream' });
    const settings = { tcpKeepaliveMs: 70_000, tcpKeepaliveProbes: 5, tcpUserTimeoutMs: 500_000, dscp: 0 };
    expect(hasSettings(socket, noSettings)).to.equal(true);
    expect(hasSettings(socket, settings)).to.equal(false);
    applySettings(socket, settings, noSettings);
    expect(hasSettings(socket, settings)).to.equal(true);
    for (const other of [{ tcpKeepaliveProbes: 6 }, { tcpKeepaliveMs: 0 }, { tcpUserTimeoutMs: 0 }])
      expect(hasSettings(socket, { ...settings, ...other }), JSON.stringify(other)).to.equal(false);
    socket.close();
    const [pair, peer] = KernelSocket.pair();
    expect(hasSettings(pair, noSettings), 'a socket without such options').to.equal(false);
    pair.close();
    peer.close();
  });

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
