import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { datagram, endpoint, failure, split } from '../loopback.ts';
import {
  loopback,
  makeFolder,
  served,
  servedByAll,
  start,
  web,
  workersOf,
  write,
} from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

/** Goes before a relay's command: each of its processes may have 60 files open. */
const fewFiles = ['bash', '-c', 'ulimit -n 58; exec "$@"', 'bash'];

describe('relay, workers, limits and health', () => {
  it('serve no more than max_connections together, and the next client when one ends', async () => {
    let [open, most] = [0, 0];
    const remote = await loopback.tcpRemote((socket) => {
      open += 1;
      most = Math.max(most, open);
      socket.pipe(socket);
      socket.once('close', () => (open -= 1));
    });
    const relay = await start([endpoint(remote, {}, { max_connections: 6 })], ['--workers', '3']);
    const { listen } = await web(relay);
    const clients = await Promise.all(Array.from({ length: 40 }, () => loopback.client(listen)));
    const answers = clients.map((client, index) => loopback.exchange(client, `client ${String(index)}`));
    await eventually('as many as may be', () => open === 6);
    for (const [index, client] of clients.entries()) void answers[index]?.then(() => client.end());
    expect(await Promise.all(answers)).to.deep.equal(clients.map((_, index) => `client ${String(index)}`));
    expect(most).to.equal(6);
    await eventually('the end', async () => (await web(relay)).connections.active === 0);
    expect((await web(relay)).connections.total).to.equal(40);
    expect(relay.lines.filter(({ msg }) => msg === 'connection limit reached').length).to.be.at.least(1);
  });

  it('report the traffic of each remote, its last check and histograms, of all together', async () => {
    const remote = await loopback.echo();
    const relay = await start([endpoint(remote, { health_check: {} })]);
    const clients = await servedByAll(relay);
    const { health, dialTime, connections } = await web(relay);
    const bytes = clients.length;
    expect(health.TCP[0]).to.include({ fromClientBytes: bytes, fromUpstreamBytes: bytes });
    expect(dialTime.counts.reduce((sum, count) => sum + count, 0)).to.equal(bytes);
    expect(connections).to.include({ active: bytes, max: bytes });
    const check = await eventually(
      'a check',
      async () => (await web(relay)).health.TCP[0]?.lastCheck ?? undefined,
    );
    expect(check).to.include({ passed: true, message: '' });
    for (const client of clients) client.end();
    await eventually('the end', async () => (await web(relay)).connections.active === 0);
    const { connectionTime, health: after } = await web(relay);
    expect(connectionTime.counts.reduce((sum, count) => sum + count, 0)).to.equal(bytes);
    expect(after.TCP[0]).to.include({ fromClientBytes: bytes, fromUpstreamBytes: bytes });
  });

  it('report why a remote failed in one of them', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const relay = await start([endpoint(remote)]);
    const { listen } = await web(relay);
    await failure(loopback.dial(listen));
    const failed = await eventually(
      'it',
      async () => (await web(relay)).health.TCP[0]?.lastFailure ?? undefined,
    );
    expect(failed.message).to.equal(`connect ECONNREFUSED ${remote}`);
  });

  it('reset clients beyond max_waiting, counted over all workers', async () => {
    const network = { max_connections: 2, max_waiting: 1 };
    const relay = await start([endpoint(await loopback.echo(), {}, network)]);
    const { listen } = await web(relay);
    const first = [await served(listen), await served(listen)];
    const waiting = await loopback.client(listen);
    await eventually('one who waits', async () => (await web(relay)).waiting === 1);
    for (let i = 0; i < 4; i += 1) {
      expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    }
    expect((await web(relay)).refused.connections).to.equal(4);
    first[0]?.end();
    expect(await loopback.exchange(waiting, 'at last')).to.equal('at last');
  });

  it('serve waiting clients when a worker with connections is killed, or a reload raises or lifts the limit', async () => {
    const remote = await loopback.echo();
    const relay = await start([endpoint(remote, {}, { max_connections: 2 })]);
    const { listen } = await web(relay);
    await served(listen);
    await served(listen);
    const waiting = async (): Promise<Socket> => {
      const client = await loopback.client(listen);
      await eventually('one who waits', async () => (await web(relay)).waiting === 1);
      return client;
    };
    const second = await waiting();
    write([endpoint(remote, {}, { max_connections: 3 })]);
    expect(await loopback.exchange(second, 'raised')).to.equal('raised');
    const third = await waiting();
    write([endpoint(remote)]);
    expect(await loopback.exchange(third, 'lifted')).to.equal('lifted');
    write([endpoint(remote, {}, { max_connections: 4 })]); // as many as there are
    await eventually('the limit', () => relay.lines.filter(({ msg }) => msg === 'configuration applied')[2]);
    const last = await waiting();
    const victim = (await workersOf(relay)).running.toSorted((a, b) => b.load - a.load)[0];
    const answer = loopback.exchange(last, 'freed').catch(() => 'lost'); // may have been the victim's own
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    expect(await answer).to.be.oneOf(['freed', 'lost']);
    await served(listen);
  });

  it('let clients wait for any worker while file descriptors are short, and serve every one', async () => {
    const relay = await start([endpoint(await loopback.echo())], [], fewFiles);
    const { listen } = await web(relay);
    const clients = await Promise.all(Array.from({ length: 40 }, () => loopback.client(listen)));
    const answers = clients.map((client, index) => loopback.exchange(client, `client ${String(index)}`));
    await eventually('both short', async () => (await relay.status()).descriptorsShort === 2);
    for (const [index, client] of clients.entries()) {
      void answers[index]?.then(() => client.end());
    }
    expect(await Promise.all(answers)).to.deep.equal(clients.map((_, index) => `client ${String(index)}`));
    await eventually('the end', async () => (await web(relay)).connections.active === 0);
    const { connections, refused } = await web(relay);
    expect(connections).to.deep.include({ total: 40, failed: { client: 0, upstream: 0, relay: 0 } });
    expect(refused.connections).to.equal(0);
  });

  it('leave waiting clients to the next worker when one is killed', async () => {
    const relay = await start([endpoint(await loopback.echo())], [], fewFiles);
    const { listen } = await web(relay);
    for (let i = 0; i < 10; i += 1) await served(listen);
    const waiting = await loopback.client(listen);
    await eventually('both short', async () => (await relay.status()).descriptorsShort === 2);
    const answer = loopback.exchange(waiting, 'waited');
    process.kill((await workersOf(relay)).running[0]?.pid ?? 0, 'SIGKILL');
    expect(await answer).to.equal('waited');
  });

  it('share that a remote fails', async () => {
    const dead = `127.0.0.1:${String(await freePort())}`;
    const relay = await start([endpoint(dead, { extra_remotes: [await loopback.echo()] })]);
    await served((await web(relay)).listen);
    const unhealthy = { address: dead, healthy: false, reason: 'DialFailed' };
    await eventually('the failure known', async () => (await web(relay)).health.TCP[0]?.healthy === false);
    await web(relay); // each worker answers for it, behind what it was told of the failure
    await servedByAll(relay);
    const { health } = await web(relay);
    expect(health.TCP[0]).to.deep.include(unhealthy);
    const tries = relay.lines.filter(({ msg }) => msg === 'remote failed, trying the next');
    expect(health.TCP[0]?.failed).to.equal(tries.length);
    // Whoever failed, all of them wait for half a second at least, as their own clocks tell.
    const [first = 0, second = Infinity] = tries.map(({ time }) => Date.parse(String(time)));
    expect(second - first).to.be.at.least(490);
  });

  for (const { why, udp } of [
    { why: 'by UDP', udp: { send: 'ping' } },
    { why: 'by TCP, which counts for UDP', udp: undefined },
  ]) {
    it(`share the health checks of UDP remotes: ${why}`, async () => {
      const [dead, port] = [await freePort(), await freePort()];
      await loopback.udp('127.0.0.1', undefined, dead); // silent
      await loopback.udp(
        '127.0.0.1',
        (message, from, self) => {
          self.send(message, from.port, from.address);
        },
        port,
      );
      await loopback.tcpServer((socket) => socket.end(), '127.0.0.1', port);
      const [first, second] = [dead, port].map((each) => `127.0.0.1:${String(each)}`);
      const health_check = { interval: 1, timeout: 1, unhealthy_threshold: 1, ...(udp && { udp }) };
      const network = { no_tcp: true, use_udp: true };
      const relay = await start([
        endpoint(first ?? '', { extra_remotes: [second ?? ''], health_check, network }),
      ]);
      await eventually('unhealthy', async () => (await web(relay)).health.UDP[0]?.reason === 'CheckFailed');
      const { listen } = await web(relay);
      expect(await loopback.exchangeDatagram(await loopback.udp(), listen, 'served')).to.equal('served');
    });
  }

  it('share the health checks of one process', async () => {
    let checks = 0;
    const checked = await loopback.tcpServer((socket) => {
      checks += 1;
      socket.pipe(socket);
    });
    const address = `127.0.0.1:${String((checked.address() as AddressInfo).port)}`;
    const extra_remotes = [await loopback.echo()];
    const checkedEach = (interval: number): RealmEndpoint =>
      endpoint(address, { extra_remotes, health_check: { interval, unhealthy_threshold: 1 } });
    const relay = await start([checkedEach(3600)], ['--workers', '3']);
    const clients = await servedByAll(relay); // whoever checks has begun to: the first time is at the start
    expect(checks - clients.length).to.equal(1);
    checked.close();
    for (const client of clients) client.destroy();
    write([checkedEach(1)]);
    await eventually('unhealthy', async () => (await web(relay)).health.TCP[0]?.reason === 'CheckFailed');
    await servedByAll(relay);
    expect((await web(relay)).health.TCP[0]?.failed).to.equal(0); // nobody tried it
  });

  it('serve each UDP endpoint by one worker', async () => {
    const network = { no_tcp: true, use_udp: true };
    const relay = await start(
      [endpoint(await loopback.udpEcho('re: '), {}, network), endpoint('127.0.0.1:1', { name: 'tcp' })],
      ['--workers', '3'],
    );
    const { host, port } = split((await web(relay)).listen);
    const echoed = async (socket: UdpSocket): Promise<string> => {
      const answer = datagram(socket);
      socket.send('x', port, host);
      return (await answer).toString();
    };
    const clients = await Promise.all(Array.from({ length: 12 }, () => loopback.udp()));
    for (const client of clients) expect(await echoed(client)).to.equal('re: x');
    for (const client of clients) expect(await echoed(client)).to.equal('re: x');
    expect((await web(relay)).associations).to.deep.include({ active: 12, total: 12 });
    const loads = (await workersOf(relay)).running.map(({ load }) => load);
    expect(loads.toSorted((a, b) => a - b)).to.deep.equal([0, 0, 12]);

    const owner = (await workersOf(relay)).running.find(({ load }) => load > 0);
    process.kill(owner?.pid ?? 0, 'SIGKILL');
    const again = createSocket('udp4');
    loopback.onClose(() => void again.close());
    let isAnswered = false;
    again.once('message', () => (isAnswered = true));
    await eventually('the port served again', () => {
      again.send('x', port, host);
      return isAnswered;
    });
    expect(split((await web(relay)).listen).port).to.equal(port);
  });
});
