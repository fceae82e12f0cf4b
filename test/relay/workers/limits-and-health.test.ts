import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { present } from '../../../src/lib/record.ts';
import { errorCode } from '../../../src/lib/errors.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { endpoint, failure, received } from '../loopback.ts';
import { silentPort } from '../upstream/silent-port.ts';
import { loopback, makeFolder, served, servedByAll, start, web, write } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

/** Goes before a relay's command: it may have 80 files open. */
const fewFiles = ['bash', '-c', 'ulimit -n 80; exec "$@"', 'bash'];

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

  it('refuse the share of a backend that refuses, of all threads together', async () => {
    const remote = await loopback.greeter('hello');
    const backends = [
      { weight: 1, remotes: [0] },
      { weight: 4, refuse: true },
    ];
    const relay = await start([endpoint(remote, { backends })], ['--workers', '3']);
    const { listen } = await web(relay);
    const outcomes = Array.from({ length: 50 }, () =>
      received(loopback.dial(listen)).catch((error: unknown) => errorCode(error)),
    );
    const sorted = (await Promise.all(outcomes)).toSorted();
    expect(sorted).to.deep.equal([
      ...new Array<string>(40).fill('ECONNRESET'),
      ...new Array<string>(10).fill('hello'),
    ]);
    expect(await web(relay)).to.deep.include({ backendRefused: { connections: 40, associations: 0 } });
  });

  it('refuse that share once a PROXY header has named the client', async () => {
    const backends = [{ weight: 1, refuse: true }];
    const relay = await start([endpoint(await loopback.echo(), { backends }, { accept_proxy: true })]);
    const { listen } = await web(relay);
    for (let client = 0; client < 4; client += 1) {
      const socket = loopback.dial(listen);
      socket.write('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n');
      expect(await failure(socket)).to.equal('ECONNRESET');
    }
    await eventually('the end', async () => (await web(relay)).connections.active === 0);
    const { backendRefused, connections } = await web(relay);
    expect(backendRefused.connections).to.equal(4);
    expect(connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
    expect(relay.lines.filter(({ msg }) => /fail|reject/.test(msg))).to.deep.equal([]);
  });

  it('dial the next remotes beside those that are silent', async () => {
    const [first, second] = [await silentPort(loopback), await silentPort(loopback)];
    const remotes = [second.address, await loopback.echo()];
    const relay = await start([endpoint(first.address, { extra_remotes: remotes }, { tcp_timeout: 600 })]);
    await servedByAll(relay);
    const { health } = await web(relay);
    expect(health.TCP.map(({ failed }) => failed)).to.deep.equal([0, 0, 0]);
    expect(health.TCP[0]?.active).to.equal(0);
  });

  it('try every remote of many', async () => {
    const down = `127.0.0.1:${String(await freePort())}`;
    const remotes = [...Array.from({ length: 30 }, () => down), await loopback.echo()];
    const relay = await start([endpoint(down, { extra_remotes: remotes })]);
    await servedByAll(relay);
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

  it('serve waiting clients when a reload raises or lifts the limit', async () => {
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
    await waiting();
  });

  for (const { why, network, header } of [
    { why: 'by their address', network: {}, header: '' },
    {
      why: 'by the PROXY header',
      network: { accept_proxy: true },
      header: 'PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n',
    },
  ])
    it(`serve no more than max_connections_per_client together, ${why}`, async () => {
      const remote = await loopback.echo();
      const limited = { ...network, max_connections_per_client: 5 };
      const relay = await start([endpoint(remote, {}, limited)], ['--workers', '3']);
      const { listen } = await web(relay);
      const dialled = Array.from({ length: 12 }, () => loopback.dial(listen));
      const outcomes = await Promise.all(
        dialled.map(async (client) => {
          client.write(`${header}x`);
          return Promise.race([failure(client), once(client, 'data').then(String)]);
        }),
      );
      expect(outcomes.toSorted()).to.deep.equal([
        ...Array.from({ length: 7 }, () => 'ECONNRESET'),
        ...Array.from({ length: 5 }, () => 'x'),
      ]);
      expect((await web(relay)).tooManyOfClient.connections).to.equal(7);
      for (const client of dialled) client.destroy();
      await eventually('the end', async () => (await web(relay)).connections.active === 0);
      const again = loopback.dial(listen);
      again.write(`${header}y`);
      expect(String((await once(again, 'data'))[0])).to.equal('y');
    });

  it('let clients wait in the kernel while file descriptors are short, and serve every one', async () => {
    const relay = await start([endpoint(await loopback.echo())], [], fewFiles);
    const { listen } = await web(relay);
    const clients = await Promise.all(Array.from({ length: 40 }, () => loopback.client(listen)));
    const answers = clients.map((client, index) => loopback.exchange(client, `client ${String(index)}`));
    await eventually('a shortage', async () => (await relay.status()).descriptorsShort === 1);
    for (const [index, client] of clients.entries()) {
      void answers[index]?.then(() => client.end());
    }
    expect(await Promise.all(answers)).to.deep.equal(clients.map((_, index) => `client ${String(index)}`));
    await eventually('the end', async () => (await web(relay)).connections.active === 0);
    const { connections, refused } = await web(relay);
    expect(connections).to.deep.include({ total: 40, failed: { client: 0, upstream: 0, relay: 0 } });
    expect(refused.connections).to.equal(0);
  });

  it('balance together: roundrobin alternates, leastconnections evens out', async () => {
    const remotes = await Promise.all(
      ['a', 'b'].map((name) => loopback.tcpRemote((socket) => socket.write(name))),
    );
    const [remote = '', ...extra_remotes] = remotes;
    for (const strategy of [undefined, 'leastconnections'] as const) {
      const balance = { balance: 'roundrobin: 1, 1', ...present('strategy', strategy) };
      const relay = await start([endpoint(remote, { extra_remotes, ...balance })], ['--workers', '3']);
      const { listen } = await web(relay);
      const names: string[] = [];
      for (let i = 0; i < 12; i += 1) names.push(String((await once(loopback.dial(listen), 'data'))[0]));
      expect(names.join(''), strategy).to.match(/^(ab){6}$|^(ba){6}$/);
      expect((await web(relay)).health.TCP.map(({ active }) => active)).to.deep.equal([6, 6]);
      await relay.end();
    }
  });

  it('share that a remote fails', async () => {
    const dead = `127.0.0.1:${String(await freePort())}`;
    const relay = await start([endpoint(dead, { extra_remotes: [await loopback.echo()] })]);
    await served((await web(relay)).listen);
    const unhealthy = { address: dead, healthy: false, reason: 'DialFailed' };
    await eventually('the failure known', async () => (await web(relay)).health.TCP[0]?.healthy === false);
    await servedByAll(relay);
    const { health } = await web(relay);
    expect(health.TCP[0]).to.deep.include(unhealthy);
    const tries = await eventually('a line of each try', () => {
      const all = relay.lines.filter(({ msg }) => msg === 'remote failed, trying the next');
      return all.length === health.TCP[0]?.failed && all;
    });
    // Whichever thread dials, all of them wait for half a second at least.
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

  it('share the health checks of the main thread', async () => {
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
});
