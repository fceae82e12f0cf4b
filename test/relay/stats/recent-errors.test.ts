import { once } from 'node:events';
import { expect } from 'chai';
import {
  errorsWithRemedies,
  RecentErrors,
  type RecentError,
} from '../../../src/relay/stats/recent-errors.ts';
import type { RelayServer } from '../../../src/relay/server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, failure, listenOf, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

function refused(upstream: string): Parameters<RecentErrors['add']>[0] {
  const error = Object.assign(new Error(`connect ECONNREFUSED ${upstream}`), { code: 'ECONNREFUSED' });
  return { endpoint: 'web', side: 'upstream', upstream, error };
}

describe('recent errors', () => {
  it('count equal errors together, the latest first', () => {
    const clock = new FakeClock();
    const errors = new RecentErrors(clock);
    errors.add(refused('192.0.2.1:80'));
    errors.add(refused('192.0.2.2:80'));
    clock.advance(1500);
    errors.add(refused('192.0.2.1:80'));
    expect(errors.list.map(({ time, count, message }) => [time, count, message])).to.deep.equal([
      ['2026-01-01T00:00:01.500Z', 2, 'connect ECONNREFUSED 192.0.2.1:80'],
      ['2026-01-01T00:00:00.000Z', 1, 'connect ECONNREFUSED 192.0.2.2:80'],
    ]);
  });

  it('are bounded in number and in length', () => {
    const errors = new RecentErrors(new FakeClock());
    for (let port = 1; port <= 1000; port += 1) errors.add(refused(`192.0.2.1:${String(port)}`));
    expect(errors.list).to.have.lengthOf(32);
    expect(errors.list[0]?.message).to.contain(':1000');
    const error = { message: 'x'.repeat(100_000) };
    errors.add({ endpoint: 'web', side: 'relay', error });
    expect(errors.list[0]?.message).to.have.lengthOf(401);
  });

  it('name the remote if the error does not', () => {
    const errors = new RecentErrors(new FakeClock());
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    errors.add({ endpoint: 'web', side: 'upstream', upstream: '192.0.2.1:80', error });
    errors.add({ endpoint: 'web', side: 'client', error });
    expect(errors.list.map(({ message }) => message)).to.deep.equal([
      'read ECONNRESET',
      '192.0.2.1:80: read ECONNRESET',
    ]);
    const reported = errorsWithRemedies(errors.list, 'Realm');
    expect(reported.map(({ remedy }) => remedy.split(' ', 2).join(' '))).to.deep.equal([
      'The client',
      'The remote',
    ]);
  });
});

describe('relay, recent errors', () => {
  const latest = async (relay: RelayServer): Promise<RecentError> =>
    eventually('an error', () => relay.status().recentErrors[0]);

  it('report a remote that refuses, once, with the remedy', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(config(endpoint(remote)), { clock: new FakeClock() });
    expect(relay.status().recentErrors).to.deep.equal([]);
    await failure(loopback.dial(listenOf(relay)));
    const { time, ...error } = await latest(relay);
    expect(error).to.deep.equal({
      count: 1,
      endpoint: 'web',
      side: 'upstream',
      reason: 'ECONNREFUSED',
      message: `connect ECONNREFUSED ${remote}`,
      remedy: 'The remote refuses connections: start it, or correct its address or port.',
    });
    expect(time).to.equal('2026-01-01T00:00:00.000Z');
    expect(relay.status().recentErrors).to.have.lengthOf(1);
  });

  it('report which side reset a connection', async () => {
    const { relay } = await loopback.relay(
      config(
        endpoint(await loopback.tcpRemote((socket) => socket.once('data', () => socket.resetAndDestroy()))),
      ),
    );
    const client = await loopback.client(listenOf(relay));
    client.write('x');
    await failure(client);
    expect(await latest(relay)).to.include({ side: 'upstream', reason: 'ECONNRESET' });
  });

  it('report a failed bind, with the message of the status', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const [first, second] = ['first', 'second'].map((name) => endpoint('127.0.0.1:1', { name, listen }));
    if (first === undefined || second === undefined) throw new Error('no endpoints');
    const { relay } = await loopback.relay(config(first, second));
    expect(await latest(relay)).to.include({
      endpoint: 'second',
      side: 'relay',
      reason: 'AddressInUse',
      message: relay.status().endpoints[1]?.message,
      remedy: 'Free the address, or choose another; the relay retries the bind.',
    });
  });

  it('report a rejected configuration, once', async () => {
    const { relay } = await loopback.relay(config());
    relay.reportRejected('unknown field "x"');
    relay.reportRejected('unknown field "x"');
    expect(await latest(relay)).to.include({
      endpoint: '',
      reason: 'ConfigRejected',
      count: 1,
      message: 'unknown field "x"',
      remedy: 'Correct the configuration; until then the previous one stays active.',
    });
  });

  it('report a connection limit', async () => {
    const { relay } = await loopback.relay(
      config(endpoint(await loopback.echo(), {}, { max_connections: 1, max_waiting: 1 })),
    );
    const [first, second] = [loopback.dial(listenOf(relay)), loopback.dial(listenOf(relay))];
    await Promise.all([once(first, 'connect'), once(second, 'connect')]);
    await failure(loopback.dial(listenOf(relay)));
    expect(relay.status().recentErrors.map(({ reason }) => reason)).to.deep.equal([
      'TooManyWait',
      'ConnectionLimit',
    ]);
  });
});
