import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  statusOf,
  type TestRelay,
  loggedLine,
  unchanged,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

type Timed = TestRelay & { readonly clock: FakeClock };

async function timed(remote: string, network: RealmNetwork): Promise<Timed> {
  const clock = new FakeClock();
  return { ...(await loopback.relay(config(endpoint(remote, {}, network)), { clock })), clock };
}

describe('relay, idle TCP connections', () => {
  it('end after tcp_idle_timeout, counted and told', async () => {
    const { relay, lines, clock } = await timed(await loopback.echo(), { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    await loopback.exchange(client, 'x');
    const failed = failure(client);
    clock.advance(10_000);
    expect(statusOf(relay).connections.active).to.equal(1); // the first look saw a byte
    clock.advance(1000);
    expect(await failed).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(line).to.deep.include({ side: 'relay', durationMs: 11_000 });
    expect(line['err']).to.deep.include({
      code: 'REALM_CONNECTION_IDLE',
      message: 'no byte either way for 10 s',
    });
    expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 1 });
    clock.advance(1000);
    expect(clock.timers).to.equal(0);
  });

  it('go on while there is a byte now and then', async () => {
    const { relay, clock } = await timed(await loopback.echo(), { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    for (let i = 0; i < 5; i += 1) {
      expect(await loopback.exchange(client, 'x')).to.equal('x');
      clock.advance(9000);
    }
  });

  it('end while they are stalled, too', async () => {
    const remote = await loopback.tcpRemote((socket) => socket.pause());
    const { relay, clock } = await timed(remote, { tcp_idle_timeout: 10 });
    const client = await loopback.client(listenOf(relay));
    client.write(Buffer.alloc(64 * 1024 * 1024));
    await eventually('a byte', () => statusOf(relay).connections.fromClientBytes > 0);
    await unchanged(() => statusOf(relay).connections.fromClientBytes);
    clock.advance(11_000);
    expect(await failure(client)).to.equal('ECONNRESET');
  });

  it('end sooner where one side has ended, with tcp_half_close_timeout', async () => {
    const remote = await loopback.tcpRemote((socket) => socket.end('bye'));
    const { relay, clock } = await timed(remote, { tcp_half_close_timeout: 2 });
    const client = await loopback.client(listenOf(relay));
    expect(await received(client)).to.equal('bye');
    clock.advance(2200);
    await eventually('the end', () => statusOf(relay).connections.failed.relay === 1);
  });

  it('end under the limit of a later configuration', async () => {
    const remote = await loopback.echo();
    const { relay, clock } = await timed(remote, {});
    const client = await loopback.client(listenOf(relay));
    await loopback.exchange(client, 'x');
    expect(clock.timers).to.equal(0);
    await relay.reload(config(endpoint(remote, {}, { tcp_idle_timeout: 5 })));
    const failed = failure(client);
    clock.advance(5500);
    expect(await failed).to.equal('ECONNRESET');
  });
});
