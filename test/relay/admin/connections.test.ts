import { once } from 'node:events';
import { expect } from 'chai';
import { adminRoutes, type ReportedRelay } from '../../../src/relay/admin/routes.ts';
import { reserveOf } from '../../../src/relay/limits/descriptor-budget.ts';
import { startHealthServer } from '../../../src/telemetry/health-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, Loopback, split } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** 64 endpoints with 32 remotes each, and how often their status was computed. */
async function largeRelay(): Promise<{ reported: ReportedRelay; computed: () => number }> {
  const endpoints = Array.from({ length: 64 }, (_, index) =>
    endpoint('192.0.2.1:1', {
      name: `web-${String(index)}`,
      extra_remotes: Array.from({ length: 31 }, (__, other) => `192.0.2.${String(other + 2)}:1`),
    }),
  );
  const { relay } = await loopback.relay(config(...endpoints));
  let computed = 0;
  const reported = {
    refresh: () => relay.refresh(),
    status: () => {
      computed += 1;
      return relay.status();
    },
    get revision() {
      return relay.revision;
    },
  };
  return { reported, computed: () => computed };
}

describe('relay, admin server under load', () => {
  it('computes the metrics once a second for eight scrapers in a loop, and the status ten times', async () => {
    const { reported, computed } = await largeRelay();
    const clock = new FakeClock();
    const admin = await startHealthServer(
      { host: '127.0.0.1', port: 0 },
      adminRoutes(reported, clock),
      clock,
    );
    loopback.onClose(() => admin.close());
    const loop = async (path: string): Promise<void> => {
      for (let round = 0; round < 5; round += 1) {
        const response = await fetch(`${admin.url}${path}`);
        expect(response.status).to.equal(200);
        expect(await response.text()).to.not.equal('');
      }
    };
    const scrape = (): Promise<unknown> =>
      Promise.all(['/metrics', '/status'].flatMap((path) => [1, 2, 3, 4].map(() => loop(path))));
    await scrape();
    expect(computed(), 'for metrics and for status').to.equal(2);
    await Promise.all([scrape(), loop('/readyz'), loop('/readyz')]);
    expect(computed(), 'and for probes').to.equal(3);
    clock.advance(99);
    await scrape();
    expect(computed()).to.equal(3);
    clock.advance(1);
    await scrape();
    expect(computed(), 'the status again').to.equal(4);
    clock.advance(900);
    await scrape();
    expect(computed(), 'both again').to.equal(6);
  });

  it('reports a new configuration and a drain at once', async () => {
    const { relay } = await loopback.relay(config(endpoint('192.0.2.1:1')));
    const clock = new FakeClock();
    const admin = await startHealthServer({ host: '127.0.0.1', port: 0 }, adminRoutes(relay, clock), clock);
    loopback.onClose(() => admin.close());
    const hash = async (): Promise<unknown> =>
      ((await (await fetch(`${admin.url}/status`)).json()) as { configHash: string }).configHash;
    expect(await hash()).to.equal('');
    await relay.reload(config(endpoint('192.0.2.2:1')), 'new');
    expect(await hash()).to.equal('new');
    expect((await fetch(`${admin.url}/readyz`)).status).to.equal(200);
    await relay.drain(0);
    expect((await fetch(`${admin.url}/readyz`)).status).to.equal(503);
  });

  it('keeps every client, and answers probes, while 300 admin connections idle at 256 descriptors', async () => {
    const wrapper = ['bash', '-c', 'ulimit -n 256; exec "$@"', 'bash'];
    const argv = ['-l', '127.0.0.1:0', '-r', await loopback.echo(), '--admin', '127.0.0.1:0'];
    const relay = new RelayProcess(argv, wrapper);
    loopback.onClose(() => relay.end());
    const listen = (await relay.status()).endpoints[0]?.listen ?? '';
    const room = (256 - reserveOf(256) - 2) / 2; // without the listener, and one that remains
    const clients = await Promise.all(Array.from({ length: room }, () => loopback.client(listen)));
    const echoed = async (): Promise<void> => {
      const answers = clients.map((client) => once(client, 'data'));
      for (const client of clients) client.write('x');
      await Promise.all(answers);
    };
    await echoed();
    const { host, port } = split(new URL(String((await relay.logged('relay started'))['admin'])).host);
    const idle = Array.from({ length: 300 }, () => loopback.dial(`${host}:${String(port)}`));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    for (const socket of idle) socket.resume();
    await eventually(
      'closed connections',
      () => idle.filter(({ readableEnded }) => readableEnded).length >= 300 - 32,
    );
    for (const path of ['/livez', '/readyz']) expect((await relay.get(path)).status).to.equal(200);
    await echoed();
    expect(clients.filter(({ destroyed }) => destroyed)).to.deep.equal([]);
    const { endpoints } = await relay.status();
    expect(endpoints[0]?.connections).to.deep.include({
      active: room,
      failed: { client: 0, upstream: 0, relay: 0 },
    });
    expect(endpoints[0]?.refused.connections).to.equal(0);
  });
});
