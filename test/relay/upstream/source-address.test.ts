import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { onOwnHost } from '../../support/own-host.ts';
import { testEngine } from '../engines.ts';
import {
  addressText,
  config,
  datagram,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  split,
  statusOf,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** A remote that answers with the address of its client. */
function mirror(host?: string): Promise<string> {
  return loopback.tcpRemote((socket) => socket.end(socket.remoteAddress ?? ''), host);
}

/** Runs a program on a machine of its own, which has ten ephemeral ports beside those of three listening sockets. */
function withTenPorts(...program: readonly string[]) {
  const [unshare, ...words] = onOwnHost(
    'ip link set lo up; echo 40000 40012 >/proc/sys/net/ipv4/ip_local_port_range',
  );
  return spawnSync(unshare, [...words, ...program], { encoding: 'utf8', timeout: 120_000 });
}
const sharesPorts = testEngine.name === 'kernel' && withTenPorts('true').status === 0;

describe('relay, through', () => {
  it('is the source address of TCP connections', async () => {
    const { relay } = await loopback.relay(config(endpoint(await mirror(), { through: '127.0.0.9' })));
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('127.0.0.9');
  });

  it('is the source address of datagrams', async () => {
    const remote = await loopback.udp('127.0.0.1', (_, { address, port }, self) => {
      self.send(address, port, address);
    });
    const { relay } = await loopback.relay(
      config(
        endpoint(addressText(remote.address()), { through: '127.0.0.9' }, { no_tcp: true, use_udp: true }),
      ),
    );
    const [client, { host, port }] = [await loopback.udp(), split(listenOf(relay))];
    const answer = datagram(client);
    client.send('x', port, host);
    expect((await answer).toString()).to.equal('127.0.0.9');
  });

  for (const through of ['0.0.0.0', '::', '[::]:0', '0.0.0.0:0', '::ffff:0.0.0.0']) {
    it(`of ${through} is no binding: remotes of both families are dialled, over TCP and UDP`, async () => {
      for (const host of ['127.0.0.1', '::1']) {
        const { relay } = await loopback.relay(config(endpoint(await mirror(host), { through })));
        expect(await received(await loopback.client(listenOf(relay)))).to.equal(host);
        const udpOnly = { no_tcp: true, use_udp: true };
        const udp = await loopback.relay(
          config(endpoint(await loopback.udpEcho('', host), { through }, udpOnly)),
        );
        expect(await loopback.exchangeDatagram(await loopback.udp(), listenOf(udp.relay), 'x')).to.equal('x');
      }
    });
  }

  (sharesPorts ? it : it.skip)('uses each ephemeral port once for each remote, not once in all', () => {
    const { stdout, stderr } = withTenPorts(process.execPath, join(import.meta.dirname, 'few-ports.ts'));
    expect(stdout, stderr).to.equal('16');
  });

  it('may fix the source port, too, over TCP and UDP', async () => {
    const [through, remote] = [`127.0.0.9:${String(await freePort())}`, await loopback.udp()];
    const echo = await loopback.tcpRemote((socket) => {
      socket.end(`${socket.remoteAddress ?? ''}:${String(socket.remotePort)}`);
    });
    const { relay } = await loopback.relay(config(endpoint(echo, { through })));
    expect(await received(await loopback.client(listenOf(relay)))).to.equal(through);

    const udpOnly = { no_tcp: true, use_udp: true };
    const udp = await loopback.relay(config(endpoint(addressText(remote.address()), { through }, udpOnly)));
    const [client, { host, port }] = [await loopback.udp(), split(listenOf(udp.relay))];
    const arrived = once(remote, 'message') as Promise<[Buffer, { address: string; port: number }]>;
    client.send('x', port, host);
    const [, from] = await arrived;
    expect(`${from.address}:${String(from.port)}`).to.equal(through);
  });

  for (const through of ['nic.test:0', 'nic.test']) {
    it(`may be a host name, of which the address with the family of the remote is used: ${through}`, async () => {
      const lookedUp: string[] = [];
      const { relay } = await loopback.relay(config(endpoint(await mirror(), { through })), {
        lookup: (name) => {
          lookedUp.push(name);
          return Promise.resolve(['::1', '127.0.0.9']);
        },
      });
      expect(await received(await loopback.client(listenOf(relay)))).to.equal('127.0.0.9');
      expect(lookedUp).to.deep.equal(['nic.test']);
    });
  }

  it('fails the connection if the host name does not resolve, and logs why', async () => {
    const { relay, lines } = await loopback.relay(
      config(endpoint(await mirror(), { through: 'nic.test:0' })),
      {
        lookup: (name) => Promise.reject(new Error(`${name} is not known`)),
      },
    );
    expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
    expect(JSON.stringify(lines)).to.contain('nic.test is not known');
  });

  it('skips addresses and remotes of the other family', async () => {
    const { port } = split(await mirror());
    const { relay } = await loopback.relay(
      config(endpoint('[::1]:1', { extra_remotes: [`both.test:${String(port)}`], through: '127.0.0.9' })),
      { lookup: () => Promise.resolve(['::1', '127.0.0.1']) },
    );
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('127.0.0.9');
  });

  it('fails the connection if every address has the other family, and logs why', async () => {
    const { relay, lines } = await loopback.relay(config(endpoint(await mirror(), { through: '::1' })));
    expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
    expect(JSON.stringify(lines)).to.contain('REALM_THROUGH_FAMILY');
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ healthy: false });
  });
});
