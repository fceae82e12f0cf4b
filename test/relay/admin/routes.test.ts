import { expect } from 'chai';
import { version } from '../../../src/lib/version.ts';
import { systemClock, type Clock } from '../../../src/lib/clock.ts';
import { adminRoutes, type ReportedRelay } from '../../../src/relay/admin/routes.ts';
import type { RelayStatus } from '../../../src/relay/admin/status.ts';
import { startHealthServer, type HealthServer } from '../../../src/telemetry/health-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { testEngine } from '../engines.ts';
import { config, endpoint, listenOf, Loopback, received } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

async function admin(relay: ReportedRelay, clock: Clock = systemClock): Promise<HealthServer> {
  const server = await startHealthServer({ host: '127.0.0.1', port: 0 }, adminRoutes(relay, clock), clock);
  loopback.onClose(() => server.close());
  return server;
}

async function get(server: HealthServer, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${server.url}${path}`);
  return { status: response.status, body: await response.text() };
}

describe('relay, admin server', () => {
  it('is ready when every endpoint is bound', async () => {
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1')));
    const server = await admin(relay);
    expect(await get(server, '/livez')).to.deep.equal({ status: 200, body: 'ok\n' });
    expect(await get(server, '/readyz')).to.deep.equal({ status: 200, body: 'ok\n' });
  });

  it('names the endpoints that are not ready, and stays alive', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(
      config(
        endpoint('127.0.0.1:1', { name: 'first', listen }),
        endpoint('127.0.0.1:1', { name: 'second', listen }),
      ),
    );
    const server = await admin(relay);
    const { status, body } = await get(server, '/readyz');
    expect(status).to.equal(503);
    expect(body).to.match(/^endpoint "second" is not ready: .*"first".*"second".*\n$/);
    expect((await get(server, '/livez')).status).to.equal(200);
  });

  it('is not ready while it drains', async () => {
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1')));
    const server = await admin(relay);
    await relay.drain(0);
    expect(await get(server, '/readyz')).to.deep.equal({ status: 503, body: 'draining\n' });
  });

  it('serves the status as JSON', async () => {
    const remote = await loopback.greeter('hi');
    const { relay } = await loopback.relay(config());
    await relay.reload(config(endpoint(remote, {}, { use_udp: true })), 'abc');
    const client = await loopback.client(listenOf(relay));
    await received(client);
    const status = JSON.parse((await get(await admin(relay), '/status')).body) as RelayStatus;
    expect(status).to.deep.include({ configHash: 'abc', ready: true, draining: false, configProblem: '' });
    expect(status.endpoints[0]).to.deep.include({
      name: 'web',
      listen: listenOf(relay),
      families: ['IPv4'],
      protocols: ['TCP', 'UDP'],
      ready: true,
      message: '',
      remotes: [remote],
      balance: 'off',
    });
    expect(status.endpoints[0]?.connections).to.deep.include({ total: 1, fromUpstreamBytes: 2 });
  });

  it('reports what it is: version, start, RealmRelay, Pod, and limits', async () => {
    const clock = new FakeClock();
    const identity = { relay: 'edge/web', pod: 'web-5d8f7c9b6d-x2k4z', madeOf: 'RealmRelay' as const };
    const network = { max_connections: 10, max_waiting: 5, max_connections_per_client: 3 };
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1', {}, network)), {
      clock,
      identity,
      openFiles: 1000,
    });
    clock.advance(60_000);
    const status = JSON.parse((await get(await admin(relay), '/status')).body) as RelayStatus;
    expect(status).to.include({
      version,
      startedAt: '2026-01-01T00:00:00.000Z',
      asOf: '2026-01-01T00:01:00.000Z',
      relay: 'edge/web',
      pod: 'web-5d8f7c9b6d-x2k4z',
      openFilesLimit: 1000,
    });
    expect(status.endpoints[0]?.limits).to.deep.equal({
      connections: 10,
      waiting: 5,
      connectionsPerClient: 3,
    });
  });

  it('reports the UDP datagrams that a socket had no room for, in the status and as a metric', async () => {
    const engine = { ...testEngine, udp: { ...testEngine.udp, lost: () => 3 } };
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1')), { engine });
    const server = await admin(relay);
    const status = JSON.parse((await get(server, '/status')).body) as RelayStatus;
    expect(status.datagramsLost).to.equal(3);
    const metrics = (await get(server, '/metrics')).body.split('\n');
    expect(metrics).to.include('realm_relay_datagrams_lost_total 3');
  });

  it('serves metrics of every endpoint, which count', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.greeter('hi'))));
    const clock = new FakeClock();
    const server = await admin(relay, clock);
    const count = async (): Promise<string[]> => {
      clock.advance(1000);
      return (await get(server, '/metrics')).body.split('\n');
    };
    expect(await count()).to.include('realm_relay_connections_total{endpoint="web"} 0');
    await received(await loopback.client(listenOf(relay)));
    expect(await count())
      .to.include('realm_relay_connections_total{endpoint="web"} 1')
      .and.to.include('realm_relay_bytes_total{endpoint="web",protocol="tcp",from="upstream"} 2')
      .and.to.include('realm_relay_endpoint_ready{endpoint="web"} 1')
      .and.to.include('realm_relay_ready 1');
    await relay.reload(config());
    expect((await count()).filter((line) => line.includes('endpoint="web"'))).to.deep.equal([]);
  });

  it('serves metrics of the build and of the process', async () => {
    const { relay } = await loopback.relay(config());
    const { body } = await get(await admin(relay), '/metrics');
    expect(body).to.contain(`realm_relay_build_info{version="${version}",node_version="`);
    expect(body)
      .to.match(/^process_open_fds [1-9]/m)
      .and.to.match(/^process_cpu_seconds_total [0-9]/m);
  });
});
