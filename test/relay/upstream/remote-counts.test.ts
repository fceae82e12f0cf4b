import { once } from 'node:events';
import { expect } from 'chai';
import { relayRegistry } from '../../../src/relay/admin/metrics.ts';
import type { RelayServer } from '../../../src/relay/server.ts';
import type { RemoteHealth } from '../../../src/relay/upstream/remote-health.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, failure, listenOf, Loopback, statusOf } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

function tcp(relay: RelayServer): readonly RemoteHealth[] {
  return statusOf(relay).health.TCP;
}

/** The value of a sample, by the text before it. */
async function metric(relay: RelayServer, sample: string): Promise<number> {
  const lines = (await relayRegistry(() => relay.status()).metrics()).split('\n');
  return Number(lines.find((line) => line.startsWith(`${sample} `))?.slice(sample.length));
}

describe('relay, traffic of each remote', () => {
  it('counts the bytes of open connections, and keeps those of closed ones', async () => {
    const [first, second] = [await loopback.echo(), await loopback.greeter('hello')];
    const fields = { extra_remotes: [second], balance: 'roundrobin: 1, 1' };
    // Its clock stands still, so that no dial is overtaken by the next one.
    const { relay } = await loopback.relay(config(endpoint(first, fields)), { clock: new FakeClock() });
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'twelve bytes')).to.equal('twelve bytes');
    expect(await loopback.greeting(listenOf(relay))).to.equal('hello');
    const bytes = (): number[][] =>
      tcp(relay).map(({ fromClientBytes, fromUpstreamBytes }) => [fromClientBytes, fromUpstreamBytes]);
    expect(bytes()).to.deep.equal([
      [12, 12],
      [0, 5],
    ]);
    client.end();
    await once(client, 'close');
    await eventually('the end', () => statusOf(relay).connections.active === 0);
    expect(bytes()).to.deep.equal([
      [12, 12],
      [0, 5],
    ]);
    const labels = `endpoint="web",protocol="tcp",remote="${second}"`;
    expect(await metric(relay, `realm_relay_remote_bytes_total{${labels},from="upstream"}`)).to.equal(5);
  });

  it('counts datagrams for the remote that they went to', async () => {
    const remote = await loopback.udpEcho();
    const { relay } = await loopback.relay(config(endpoint(remote, {}, { no_tcp: true, use_udp: true })));
    await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'four');
    expect(statusOf(relay).health.UDP[0]).to.include({ fromClientBytes: 4, fromUpstreamBytes: 4 });
  });

  it('remembers the most connections that were open at a time', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())));
    for (const count of [3, 1]) {
      const clients = await Promise.all(
        Array.from({ length: count }, () => loopback.client(listenOf(relay))),
      );
      for (const client of clients) await loopback.exchange(client, 'x');
      for (const client of clients) client.end();
      await eventually('the end', () => statusOf(relay).connections.active === 0);
    }
    expect(statusOf(relay).connections).to.include({ active: 0, max: 3, total: 4 });
  });
});

describe('relay, the last check of a remote', () => {
  it('is absent without health checks', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.greeter('hello'))));
    await loopback.greeting(listenOf(relay));
    expect(tcp(relay)[0]).to.deep.include({ lastCheck: null, lastFailure: null });
  });

  it('has its time and its reason, if it failed', async () => {
    const clock = new FakeClock();
    const port = await freePort();
    const remote = `127.0.0.1:${String(port)}`;
    const { relay } = await loopback.relay(config(endpoint(remote, { health_check: { interval: 10 } })), {
      clock,
    });
    await eventually('a check', () => tcp(relay)[0]?.lastCheck ?? undefined);
    const failed = { time: '2026-01-01T00:00:00.000Z', message: `connect ECONNREFUSED ${remote}` };
    expect(tcp(relay)[0]?.lastCheck).to.deep.equal({ ...failed, passed: false });
    expect(tcp(relay)[0]?.lastFailure).to.deep.equal(failed);
    await loopback.tcpServer((socket) => socket.end(), '127.0.0.1', port);
    clock.advance(10_000);
    await eventually('a check that passes', () => tcp(relay)[0]?.lastCheck?.passed);
    expect(tcp(relay)[0]?.lastCheck).to.deep.equal({
      time: '2026-01-01T00:00:10.000Z',
      message: '',
      passed: true,
    });
    expect(tcp(relay)[0]?.lastFailure).to.deep.equal(failed);
    const sample = `realm_relay_remote_last_check_timestamp_seconds{endpoint="web",protocol="tcp",remote="${remote}"}`;
    expect(await metric(relay, sample)).to.equal(Date.parse('2026-01-01T00:00:10.000Z') / 1000);
  });

  it('goes with the checks that a reload removes', async () => {
    const remote = await loopback.greeter('hello');
    const { relay } = await loopback.relay(config(endpoint(remote, { health_check: {} })));
    await eventually('a check', () => tcp(relay)[0]?.lastCheck ?? undefined);
    await relay.reload(config(endpoint(remote)));
    expect(tcp(relay)[0]?.lastCheck).to.equal(null);
  });

  it('of UDP is that of TCP, unless it has one of its own', async () => {
    const fields = { health_check: {} };
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.greeter('hello'), fields, { use_udp: true })),
    );
    await eventually('a check', () => tcp(relay)[0]?.lastCheck ?? undefined);
    expect(statusOf(relay).health.UDP[0]?.lastCheck).to.deep.equal(tcp(relay)[0]?.lastCheck);
  });
});

describe('relay, histograms', () => {
  it('count how long clients waited for a remote, and how long connections lasted', async () => {
    const clock = new FakeClock();
    const { relay } = await loopback.relay(config(endpoint(await loopback.echo())), { clock });
    const client = await loopback.client(listenOf(relay));
    await loopback.exchange(client, 'x');
    clock.advance(5000);
    client.end();
    await eventually('the end', () => statusOf(relay).connections.active === 0);
    const samples = {
      'realm_relay_dial_seconds_bucket{le="0.001",endpoint="web"}': 1,
      'realm_relay_dial_seconds_bucket{le="+Inf",endpoint="web"}': 1,
      'realm_relay_dial_seconds_count{endpoint="web"}': 1,
      'realm_relay_connection_seconds_bucket{le="1",endpoint="web"}': 0,
      'realm_relay_connection_seconds_bucket{le="10",endpoint="web"}': 1,
      'realm_relay_connection_seconds_sum{endpoint="web"}': 5,
    };
    for (const [sample, value] of Object.entries(samples))
      expect(await metric(relay, sample), sample).to.equal(value);
  });

  it('count neither a dial that failed nor the probe of a load balancer', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(
      config(endpoint(remote, { extra_remotes: [await loopback.echo()] })),
    );
    const probe = await loopback.client(listenOf(relay));
    await eventually('a remote', () => tcp(relay)[1]?.active === 1);
    probe.resetAndDestroy();
    await eventually('the end', () => statusOf(relay).probes === 1);
    expect(await metric(relay, 'realm_relay_connection_seconds_count{endpoint="web"}')).to.equal(0);
    expect(await metric(relay, 'realm_relay_dial_seconds_count{endpoint="web"}')).to.equal(1);
    await relay.reload(config(endpoint(remote)));
    await failure(loopback.dial(listenOf(relay)));
    expect(await metric(relay, 'realm_relay_dial_seconds_count{endpoint="web"}')).to.equal(1);
  });
});
