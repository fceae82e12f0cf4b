import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { relayRegistry } from '../../../src/relay/admin/metrics.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import type { RelayOptions } from '../../../src/relay/server.ts';
import { freePort } from '../../support/free-port.ts';
import { eventually } from '../../support/eventually.ts';
import { config, failure, Loopback, split, statusOf, times, unchanged } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const udp = { network: { use_udp: true, no_tcp: true } };
const ws = 'ws;host=loop.example;path=/';

/** An address of this machine that is not loopback, if it has one. */
const ownAddress = Object.values(networkInterfaces())
  .flatMap((each = []) => each)
  .find(({ internal, address }) => !internal && !address.startsWith('fe80:'))?.address;

function loop(listen: string, remote: string, fields: Partial<RealmEndpoint> = {}): RealmEndpoint {
  return { name: 'web', listen, remote, ...fields };
}

describe('relay, a remote that leads back to the relay', () => {
  const ways: readonly {
    readonly title: string;
    readonly host?: string;
    readonly remote?: string;
    readonly fields?: Partial<RealmEndpoint>;
    readonly options?: Partial<RelayOptions>;
    readonly skip?: boolean;
  }[] = [
    { title: 'by its address' },
    { title: 'by IPv6', host: '[::]', remote: '[::1]' },
    { title: 'by IPv4 at a dual-stack socket', host: '[::]', remote: '127.0.0.1' },
    {
      title: 'by a name that only a lookup knows',
      remote: 'relay.example',
      options: { lookup: () => Promise.resolve(['127.0.0.2', '127.0.0.1']) },
    },
    { title: 'by the unspecified address', remote: '0.0.0.0' },
    { title: 'by the unspecified address of IPv6', host: '[::]', remote: '[::]' },
    { title: 'by an IPv4-mapped address', remote: '[::ffff:7f00:1]' },
    { title: 'by an address in full', host: '[::]', remote: '[0:0:0:0:0:0:0:1]' },
    { title: 'from another source address', fields: { through: '127.0.0.3' } },
    { title: 'with the engine node', options: { engine: nodeEngine } },
    { title: 'through WebSocket', fields: { listen_transport: ws, remote_transport: ws } },
    {
      title: `by an address of the machine${ownAddress === undefined ? ' (skipped: it has none)' : ''}`,
      host: '0.0.0.0',
      remote: ownAddress ?? '',
      skip: ownAddress === undefined || ownAddress.includes(':'),
    },
  ];
  for (const { title, host = '0.0.0.0', remote = '127.0.0.1', fields, options = {}, skip } of ways) {
    (skip === true ? it.skip : it)(`${title}: its clients are reset, counted and reported`, async () => {
      const port = String(await freePort());
      const greeter = { name: 'other', listen: '127.0.0.1:0', remote: await loopback.greeter('hello') };
      const { relay, lines } = await loopback.relay(
        config(loop(`${host}:${port}`, `${remote}:${port}`, fields), greeter),
        options,
      );
      const client = loopback.dial(`127.0.0.1:${port}`);
      if (fields?.listen_transport !== undefined) client.write(request);
      expect(await failure(client)).to.equal('ECONNRESET');
      await eventually('the end of all', () => statusOf(relay).connections.active === 0);
      const { connections, looped } = statusOf(relay);
      expect(looped.connections).to.be.within(1, 2); // two addresses may race
      expect(connections.total).to.equal(1);
      expect(times(lines, 'client rejected, the relay is its own remote')).to.equal(looped.connections);
      const reported = relay.status().recentErrors.find(({ reason }) => reason === 'RelayLoop');
      expect(reported?.remedy).to.match(/^Give the remote the address and port of the service/);
      expect(await relayRegistry(() => relay.status()).metrics()).to.contain(
        `realm_relay_connections_refused_total{endpoint="web",reason="RelayLoop"} ${String(looped.connections)}\n`,
      );
      expect(await loopback.greeting(statusOf(relay, 'other').listen)).to.equal('hello');
    });
  }

  it('over another endpoint: the circle is cut where it closes', async () => {
    const [first, second] = [
      `127.0.0.1:${String(await freePort())}`,
      `127.0.0.1:${String(await freePort())}`,
    ];
    const { relay } = await loopback.relay(
      config(loop(first, second), { name: 'b', listen: second, remote: first }),
    );
    expect(await failure(loopback.dial(first))).to.equal('ECONNRESET');
    await eventually('the end of all', () => statusOf(relay, 'b').connections.active === 0);
    expect([statusOf(relay), statusOf(relay, 'b')].map(({ looped }) => looped.connections)).to.deep.equal([
      1, 0,
    ]);
  });

  it('serves clients that one endpoint relays to another, many at a time and one after the other', async () => {
    const second = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(
      config(loop('127.0.0.1:0', second), { name: 'b', listen: second, remote: await loopback.echo() }),
    );
    for (let round = 0; round < 3; round += 1) {
      const clients = await Promise.all(
        Array.from({ length: 20 }, () => loopback.client(statusOf(relay).listen)),
      );
      const answers = await Promise.all(clients.map((client) => loopback.exchange(client, 'x')));
      expect(answers.every((answer) => answer === 'x')).to.equal(true);
      for (const client of clients) client.end();
      await eventually('the end of all', () => statusOf(relay).connections.active === 0);
    }
    expect(statusOf(relay, 'b').connections.total).to.equal(60);
  });

  it('UDP: its own datagrams are dropped and counted, and the loop is over', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const { relay, lines } = await loopback.relay(config(loop(listen, listen, udp)));
    const client = await loopback.udp();
    client.send('x', split(listen).port, '127.0.0.1');
    await eventually('the drop', () => statusOf(relay).looped.associations > 0, { intervalMs: 2 });
    await unchanged(() => statusOf(relay).associations.fromClientBytes + statusOf(relay).looped.associations);
    expect(statusOf(relay).looped).to.deep.equal({ connections: 0, associations: 1 });
    expect(statusOf(relay).associations).to.include({ total: 1, fromClientBytes: 1 });
    expect(times(lines, 'datagram dropped, the relay is its own remote')).to.equal(1);
  });

  it('UDP: its own datagrams to a second remote are dropped, too', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const refusing = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(
      config(loop(listen, refusing, { ...udp, extra_remotes: [listen] })),
    );
    const client = await loopback.udp();
    client.send('x', split(listen).port, '127.0.0.1');
    await eventually('the drop', () => statusOf(relay).looped.associations > 0, { intervalMs: 2 });
    expect(statusOf(relay).associations).to.include({ total: 1, fromClientBytes: 1 });
  });

  it('UDP over another endpoint: dropped where the circle closes, while a chain is served', async () => {
    const [a, b] = [`127.0.0.1:${String(await freePort())}`, `127.0.0.1:${String(await freePort())}`];
    const { relay } = await loopback.relay(
      config(loop(a, b, udp), { name: 'b', listen: b, remote: a, ...udp }),
    );
    const client = await loopback.udp();
    client.send('x', split(b).port, '127.0.0.1');
    await eventually('the drop', () => statusOf(relay, 'b').looped.associations > 0, { intervalMs: 2 });
    await unchanged(() => statusOf(relay, 'b').looped.associations);
    expect(
      [statusOf(relay), statusOf(relay, 'b')].map(({ associations }) => associations.total),
    ).to.deep.equal([1, 1]);
    const echo = await loopback.udpEcho('echo ');
    await relay.reload(config(loop(a, b, udp), { name: 'b', listen: b, remote: echo, ...udp }));
    expect(await loopback.exchangeDatagram(await loopback.udp(), a, 'y')).to.equal('echo y');
  });
});

const request =
  'GET / HTTP/1.1\r\nHost: loop.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
