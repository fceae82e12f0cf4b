import { expect } from 'chai';
import { relayRegistry } from '../../../src/relay/admin/metrics.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { parseProxyHeader } from '../../../src/relay/proxy-protocol/header.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  statusOf,
  times,
  type TestRelay,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, a remote that was neither dialled nor checked', () => {
  const udp = { no_tcp: true, use_udp: true };

  /** The values of the metrics of the one remote of `relay`; undefined for one without a sample. */
  async function metrics({
    relay,
  }: TestRelay): Promise<{ healthy: string | undefined; unknown: string | undefined }> {
    const text = await relayRegistry(() => relay.status()).metrics();
    const value = (name: string): string | undefined =>
      new RegExp(`^realm_relay_remote_${name}\\{.*\\} (.*)$`, 'm').exec(text)?.[1];
    return { healthy: value('healthy'), unknown: value('unknown') };
  }

  it('is unknown, until a dial succeeds', async () => {
    const test = await loopback.relay(config(endpoint(await loopback.greeter('hello'))));
    expect(statusOf(test.relay).health.TCP[0]).to.deep.include({
      state: 'unknown',
      healthy: null,
      reason: '',
    });
    expect(await metrics(test)).to.deep.equal({ healthy: undefined, unknown: '1' });
    await loopback.greeting(listenOf(test.relay));
    expect(statusOf(test.relay).health.TCP[0]).to.deep.include({ state: 'healthy', healthy: true });
    expect(await metrics(test)).to.deep.equal({ healthy: '1', unknown: '0' });
    expect(times(test.lines, 'remote recovered')).to.equal(0);
  });

  it('is unknown, until a dial fails', async () => {
    const test = await loopback.relay(config(endpoint(`127.0.0.1:${String(await freePort())}`)));
    await failure(loopback.dial(listenOf(test.relay)));
    expect(statusOf(test.relay).health.TCP[0]).to.deep.include({ state: 'unhealthy', healthy: false });
    expect(await metrics(test)).to.deep.equal({ healthy: '0', unknown: '0' });
  });

  it('is unknown, until a check passes; and again once there are no checks', async () => {
    const remote = await loopback.greeter('hello');
    const { relay } = await loopback.relay(config(endpoint(remote, { health_check: {} })));
    await eventually('a check', () => statusOf(relay).health.TCP[0]?.state === 'healthy');
    await relay.reload(config(endpoint(remote)));
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ state: 'unknown' });
  });

  it('is unknown, for UDP until it has answered', async () => {
    const { relay } = await loopback.relay(config(endpoint(await loopback.udpEcho(), {}, udp)));
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ state: 'unknown' });
    await loopback.exchangeDatagram(await loopback.udp(), listenOf(relay), 'x');
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ state: 'healthy' });
  });

  it('is unknown, for UDP until a check by TCP has passed; and again once there are no checks', async () => {
    const both = { use_udp: true };
    const remote = await loopback.greeter('hello');
    const { relay } = await loopback.relay(config(endpoint(remote, { health_check: {} }, both)));
    await eventually('a check', () => statusOf(relay).health.UDP[0]?.state === 'healthy');
    await relay.reload(config(endpoint(remote, {}, both)));
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ state: 'unknown' });
  });

  it('is unknown, for UDP until a check of its own has ended, which says nothing of TCP', async () => {
    const health_check = { udp: { send: 'ping', expect: 'ping' } };
    const both = { use_udp: true };
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.udpEcho(), { health_check }, both)),
    );
    expect(statusOf(relay).health.UDP[0]).to.deep.include({ state: 'unknown' });
    await eventually('a check', () => statusOf(relay).health.UDP[0]?.state === 'healthy');
    expect(statusOf(relay).health.TCP[0]).to.deep.include({ state: 'unknown' });
  });
});

describe('relay, health checks of a remote that expects PROXY headers', () => {
  const engines = { 'with the default engine': {}, 'with the engine node': { engine: nodeEngine } };
  for (const version of [1, 2] as const) {
    for (const [title, options] of Object.entries(engines)) {
      it(`begin with a header of version ${String(version)} that names no client, ${title}`, async () => {
        const checked = Promise.withResolvers<Buffer>();
        const remote = await loopback.tcpRemote((socket) => {
          void received.bytes(socket).then((parts) => {
            checked.resolve(Buffer.concat(parts));
          });
        });
        const network = { send_proxy: true, send_proxy_version: version };
        await loopback.relay(config(endpoint(remote, { health_check: {} }, network)), options);
        const header = await checked.promise;
        expect(parseProxyHeader(header)).to.deep.equal({ length: header.length });
        const unknown = 'PROXY UNKNOWN\r\n';
        const local = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
        expect(header.equals(version === 1 ? Buffer.from(unknown) : local)).to.equal(true);
      });
    }
  }

  it('begin with none once send_proxy is off', async () => {
    const checks: Buffer[] = [];
    const remote = await loopback.tcpRemote((socket) => {
      void received.bytes(socket).then((parts) => checks.push(Buffer.concat(parts)));
    });
    const { relay } = await loopback.relay(
      config(endpoint(remote, { health_check: {} }, { send_proxy: true })),
    );
    await eventually('a check', () => checks.length === 1);
    await relay.reload(config(endpoint(remote, { health_check: {} })));
    await eventually('a check without', () => checks.length === 2);
    expect(checks.map(({ length }) => length)).to.deep.equal([16, 0]);
  });
});
