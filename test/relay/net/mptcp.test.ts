import { createHash, randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { mptcpFaultOfKernel } from '../../../src/relay/net/kernel-mptcp.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { onOwnHost } from '../../support/own-host.ts';
import { testEngine } from '../engines.ts';
import { ownSockets } from '../kernel/support.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  loggedLine,
  Loopback,
  slowHash,
  split,
  statusOf,
  type TestRelay,
} from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const { SOL_SOCKET, IPPROTO_TCP, IPPROTO_MPTCP, TCP_KEEPIDLE } = constants;
const SO_PROTOCOL = 38; // Linux: asm-generic/socket.h

/**
 * An option of the sockets of this process that were accepted at `listen`. Their protocol is that of MPTCP only if both
 * peers use it: Linux, mptcp_accept.
 */
function optionsAt(listen: string, level: number, name: number): number[] {
  return ownSockets().flatMap((socket) => {
    try {
      const isAccepted =
        socket.localAddress().port === split(listen).port && socket.remoteAddress().port !== 0;
      return isAccepted ? socket.option(level, name) : [];
    } finally {
      socket.close();
    }
  });
}

const protocolsAt = (listen: string): number[] => optionsAt(listen, SOL_SOCKET, SO_PROTOCOL);

function relayTo(
  remote: string,
  network: RealmNetwork,
  fields: Partial<RealmEndpoint> = {},
): Promise<TestRelay> {
  return loopback.relay(config(endpoint(remote, fields, network)));
}

/** Two relays, one behind the other, with MPTCP between them. @returns their addresses. */
async function chain(
  remote: string,
  host = '127.0.0.1',
  fields: { near?: Partial<RealmEndpoint>; far?: Partial<RealmEndpoint> } = {},
): Promise<{ readonly near: string; readonly far: string }> {
  const far = await relayTo(remote, { accept_mptcp: true }, { listen: `${host}:0`, ...fields.far });
  const middle = listenOf(far.relay);
  const near = await relayTo(middle, { send_mptcp: true }, { listen: `${host}:0`, ...fields.near });
  return { near: listenOf(near.relay), far: middle };
}

const fault = testEngine.name === 'kernel' ? mptcpFaultOfKernel() : undefined;

if (testEngine.name === 'kernel') {
  (fault === undefined ? describe : describe.skip)(
    `relay, MPTCP${fault ? ` (skipped: ${fault.reason})` : ''}`,
    () => {
      for (const host of ['127.0.0.1', '[::1]']) {
        it(`links two relays by send_mptcp and accept_mptcp: ${host}`, async () => {
          const { near, far } = await chain(await loopback.echo(), host);
          const client = await loopback.client(near);
          expect(await loopback.exchange(client, 'x')).to.equal('x');
          expect(protocolsAt(far)).to.deep.equal([IPPROTO_MPTCP]);
          expect(protocolsAt(near)).to.deep.equal([IPPROTO_TCP]);
        });

        it(`accepts clients of plain TCP with accept_mptcp: ${host}`, async () => {
          const { relay } = await relayTo(
            await loopback.echo(),
            { accept_mptcp: true },
            { listen: `${host}:0` },
          );
          const client = await loopback.client(listenOf(relay));
          expect(await loopback.exchange(client, 'x')).to.equal('x');
          expect(protocolsAt(listenOf(relay))).to.deep.equal([IPPROTO_TCP]);
        });
      }

      it('falls back to TCP with a remote that has no MPTCP', async () => {
        const { relay } = await relayTo(await loopback.greeter('hi'), { send_mptcp: true });
        expect(await loopback.greeting(listenOf(relay))).to.equal('hi');
      });

      it('carries 32 MiB both ways past slow readers, and keeps half-close', async () => {
        const part = randomBytes(1024 * 1024);
        const expected = createHash('sha256');
        for (let i = 0; i < 32; i += 1) expected.update(part);
        const hash = expected.digest('hex');
        const send = async (socket: Socket): Promise<void> => {
          for (let i = 0; i < 32; i += 1) if (!socket.write(part)) await once(socket, 'drain');
          socket.end();
        };
        const got = Promise.withResolvers<string>();
        const remote = await loopback.tcpRemote((socket) => {
          // It answers only after the end of the client's side.
          void slowHash(socket).then((each) => {
            got.resolve(each);
            return send(socket);
          });
        });
        const client = await loopback.client((await chain(remote)).near);
        const answer = slowHash(client);
        await send(client);
        expect(await got.promise).to.equal(hash);
        expect(await answer).to.equal(hash);
      });

      it("passes on a client's reset", async () => {
        const { promise, resolve } = Promise.withResolvers<Socket>();
        const { near } = await chain(await loopback.tcpRemote(resolve));
        const client = await loopback.client(near);
        client.write('x');
        const remote = await promise;
        await once(remote, 'data');
        const failed = failure(remote);
        client.resetAndDestroy();
        expect(await failed).to.equal('ECONNRESET');
      });

      it("passes on a remote's reset, after what the remote sent before", async () => {
        const sent = randomBytes(4 * 1024 * 1024);
        const remote = await loopback.tcpRemote((socket) => {
          socket.write(sent, () => {
            socket.once('data', () => socket.resetAndDestroy());
          });
        });
        const client = await loopback.client((await chain(remote)).near);
        let bytes = 0;
        client.on('data', (data) => {
          bytes += data.length;
          if (bytes === sent.length) client.write('got it');
        });
        expect(await failure(client)).to.equal('ECONNRESET');
        expect(bytes).to.equal(sent.length);
      });

      it('carries TLS and WebSocket', async () => {
        const { near, far } = await chain(await loopback.echo(), '127.0.0.1', {
          far: { listen_transport: 'ws;host=a.example;path=/x;tls;servername=a.example' },
          near: { remote_transport: 'ws;host=a.example;path=/x;tls;sni=a.example;insecure' },
        });
        const client = await loopback.client(near);
        expect(await loopback.exchange(client, 'x')).to.equal('x');
        expect(protocolsAt(far)).to.deep.equal([IPPROTO_MPTCP]);
      });

      it('sends keepalive probes', async () => {
        const far = await relayTo(await loopback.echo(), { accept_mptcp: true, tcp_keepalive: 70 });
        const near = await relayTo(listenOf(far.relay), { send_mptcp: true });
        const client = await loopback.client(listenOf(near.relay));
        expect(await loopback.exchange(client, 'x')).to.equal('x');
        expect(optionsAt(listenOf(far.relay), IPPROTO_TCP, TCP_KEEPIDLE)).to.deep.equal([70]);
      });

      it('counts clients that wait in the kernel', async () => {
        const listener = await testEngine.tcp.listen({
          address: '127.0.0.1',
          port: 0,
          ipv6Only: false,
          device: undefined,
          mptcp: true,
          onAccepted: (client) => {
            client.reset();
          },
          onAcceptError: () => undefined,
        });
        try {
          listener.pause();
          const target = { address: '127.0.0.1', port: listener.port, from: undefined, device: undefined };
          const connected = Promise.withResolvers<undefined>();
          const channel = testEngine.tcp.connect({ ...target, mptcp: true }, (error) => {
            if (error === undefined) connected.resolve(undefined);
            else connected.reject(error);
          });
          await connected.promise;
          await eventually('the client', async () => (await listener.waiting()) === 1);
          channel.close();
        } finally {
          listener.close();
        }
      });

      it('is taken up and given up by a reload, on the same port', async () => {
        const remote = await loopback.echo();
        const listen = `127.0.0.1:${String(await freePort())}`;
        const far = await relayTo(remote, {}, { listen });
        const near = await relayTo(listen, { send_mptcp: true });
        for (const [isOn, protocol] of [
          [true, IPPROTO_MPTCP],
          [false, IPPROTO_TCP],
        ] as const) {
          await far.relay.reload(config(endpoint(remote, { listen }, { accept_mptcp: isOn })));
          const client = await loopback.client(listenOf(near.relay));
          expect(await loopback.exchange(client, 'x')).to.equal('x');
          expect(protocolsAt(listen)).to.deep.equal([protocol]);
          client.destroy();
          await eventually('its end', () => protocolsAt(listen).length === 0);
        }
      });

      it('serves by -m, also with threads', async () => {
        const listen = `127.0.0.1:${String(await freePort())}`;
        const argv = ['-l', listen, '-r', await loopback.echo(), '-m', '--admin', 'off', '--workers', '2'];
        const relay = new RelayProcess(argv);
        loopback.onClose(() => relay.end());
        await relay.logged('relay started');
        const near = await relayTo(listen, { send_mptcp: true });
        const client = await loopback.client(listenOf(near.relay));
        expect(await loopback.exchange(client, 'x')).to.equal('x');
        const filter = ['state', 'established', 'sport', '=', `:${String(split(listen).port)}`];
        expect(spawnSync('ss', ['-HMn', ...filter], { encoding: 'utf8' }).stdout).to.contain(listen);
      });
    },
  );

  const noMptcp = onOwnHost('sysctl -qw net.mptcp.enabled=0');
  const [command, ...words] = noMptcp;
  const canSwitchOff = fault === undefined && spawnSync(command, [...words, 'true']).status === 0;

  (canSwitchOff ? describe : describe.skip)('relay, a kernel without MPTCP', () => {
    const problem = (key: string): string =>
      `network.${key}: is true, but the kernel opens no MPTCP sockets (ENOPROTOOPT): run "sysctl -w net.mptcp.enabled=1", or set it to false`;

    it('is reported by --check, with the remedy', async () => {
      const argv = ['--check', '-l', '127.0.0.1:5000', '-r', '192.0.2.1:1', '-m'];
      const relay = new RelayProcess(argv, noMptcp);
      expect(await relay.ended).to.equal(1);
      expect(relay.stderr).to.contain(problem('send_mptcp')).and.contain(problem('accept_mptcp'));
    });

    it('is logged at the start, and no socket falls back', async () => {
      const argv = ['-l', '127.0.0.1:5000', '-r', '192.0.2.1:1', '-m', '--admin', 'off'];
      const relay = new RelayProcess(argv, noMptcp);
      loopback.onClose(() => relay.end());
      expect((await relay.logged('configuration problem'))['problem']).to.equal(problem('send_mptcp'));
      const line = await relay.logged('bind failed, retrying');
      expect(JSON.stringify(line)).to.contain('REALM_MPTCP');
    });
  });
}

describe('relay, MPTCP, engine node', () => {
  it('reports that it cannot listen with accept_mptcp, with the remedy', async () => {
    const only = config(endpoint('127.0.0.1:1', {}, { accept_mptcp: true }));
    const { relay } = await loopback.relay(only, { engine: nodeEngine });
    expect(statusOf(relay).message)
      .to.contain('network.accept_mptcp: is true, but the engine node cannot open MPTCP sockets')
      .and.contain('use --engine kernel, or set it to false');
  });

  it('reports that it cannot dial with send_mptcp, with the remedy', async () => {
    const only = config(endpoint(await loopback.greeter('hi'), {}, { send_mptcp: true }));
    const { relay, lines } = await loopback.relay(only, { engine: nodeEngine });
    expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(JSON.stringify(line['err'])).to.contain('network.send_mptcp').and.contain('use --engine kernel');
  });

  it('serves an endpoint of UDP alone, which MPTCP does not concern', async () => {
    const network = { accept_mptcp: true, send_mptcp: true, no_tcp: true, use_udp: true };
    const only = config(endpoint(await loopback.udpEcho(), {}, network));
    const { relay } = await loopback.relay(only, { engine: nodeEngine });
    expect(await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x')).to.equal('x');
  });

  it('is reported by --check, with the remedy', async () => {
    const argv = ['--check', '-l', '127.0.0.1:5000', '-r', '192.0.2.1:1', '-m', '--engine', 'node'];
    const relay = new RelayProcess(argv, [], {}, []);
    expect(await relay.ended).to.equal(1);
    expect(relay.stderr).to.contain('network.accept_mptcp: is true, but the engine node cannot');
  });
});
