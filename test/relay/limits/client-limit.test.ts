import { once } from 'node:events';
import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import { proxyHeader } from '../../../src/relay/proxy-protocol/header.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { config, datagram, endpoint, failure, listenOf, Loopback, split, statusOf } from '../loopback.ts';
import type { LogLine, TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const greedy = '127.0.0.1';
const other = '127.0.0.2';

/** Sends `text` and returns the echo. */
async function echoed(client: Socket, text: string): Promise<string> {
  client.write(text);
  const [answer] = (await once(client, 'data')) as [Buffer];
  return answer.toString();
}

function lines(all: readonly LogLine[], wanted: string): LogLine[] {
  return all.filter(({ msg }) => msg === wanted);
}

/** Resolves when `count` clients wait. */
async function waiting({ relay }: TestRelay, count: number): Promise<void> {
  await eventually(`${String(count)} waiting`, () => statusOf(relay).waiting === count, { intervalMs: 2 });
}

describe('relay, limits per client', () => {
  /** A relay in front of an echo server. */
  async function limited(network: RealmNetwork): Promise<TestRelay & { clock: FakeClock; remote: string }> {
    const [clock, remote] = [new FakeClock(), await loopback.echo()];
    return { ...(await loopback.relay(config(endpoint(remote, {}, network)), { clock })), clock, remote };
  }

  it('one client cannot use up max_connections with silent connections', async () => {
    const {
      relay,
      lines: log,
      clock,
    } = await limited({ max_connections: 10, max_connections_per_client: 5 });
    const listen = listenOf(relay);
    const ends: string[] = [];
    for (let i = 0; i < 10; i += 1) {
      const silent = loopback.dial(listen, greedy);
      void failure(silent).then((end) => ends.push(end));
    }
    await eventually('five resets', () => ends.length === 5, { intervalMs: 2 });
    expect(ends).to.deep.equal(Array(5).fill('ECONNRESET'));
    expect(await echoed(await loopback.client(listen, other), 'served')).to.equal('served');
    expect(statusOf(relay)).to.deep.include({
      tooManyOfClient: { connections: 5, associations: 0 },
      refused: { connections: 0, associations: 0 },
    });
    const started = lines(log, 'connection limit per client reached, resetting its further connections');
    expect(started).to.have.length(1);
    expect(started[0]).to.deep.include({ endpoint: 'web', client: greedy, maxConnectionsPerClient: 5 });
    expect(relay.status().recentErrors[0]).to.deep.include({ reason: 'TooManyOfClient', count: 5 });
    clock.advance(60_000);
    const [ended] = lines(log, 'connection limit per client no longer reached');
    expect(ended).to.deep.include({ endpoint: 'web', refused: 5 });
  });

  it('a client may come again once one of its connections has ended', async () => {
    const { relay } = await limited({ max_connections_per_client: 1 });
    const listen = listenOf(relay);
    const first = await loopback.client(listen);
    expect(await echoed(first, 'first')).to.equal('first');
    expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    first.end();
    await eventually('its end', () => statusOf(relay).connections.active === 0, { intervalMs: 2 });
    expect(await echoed(await loopback.client(listen), 'again')).to.equal('again');
  });

  it('connections that wait count, and no longer once they were reset', async () => {
    const relay = await limited({ max_connections: 1, max_connections_per_client: 2 });
    const listen = listenOf(relay.relay);
    expect(await echoed(await loopback.client(listen), 'served')).to.equal('served');
    const queued = await loopback.client(listen);
    await waiting(relay, 1);
    expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    const reset = failure(queued);
    const friends = { max_connections: 1, max_connections_per_client: 2 };
    await relay.relay.reload(config(endpoint(relay.remote, {}, { ...friends, allowed_sources: [other] })));
    expect(await reset).to.equal('ECONNRESET');
    await relay.relay.reload(config(endpoint(relay.remote, {}, friends)));
    await loopback.client(listen);
    await waiting(relay, 1);
  });

  it('a reload applies a new limit to connections that are open already', async () => {
    const { relay, remote } = await limited({});
    const listen = listenOf(relay);
    const open = [await loopback.client(listen), await loopback.client(listen)];
    for (const client of open) expect(await echoed(client, 'x')).to.equal('x');
    await relay.reload(config(endpoint(remote, {}, { max_connections_per_client: 2 })));
    expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    for (const client of open) expect(await echoed(client, 'still open')).to.equal('still open');
  });

  it('counts the client that a PROXY header names, not the proxy', async () => {
    const { relay, lines: log } = await limited({ accept_proxy: true, max_connections_per_client: 1 });
    const listen = listenOf(relay);
    const destination = { address: '2001:db8::ffff', port: 443 };
    const connect = async (address: string): Promise<Socket> => {
      const client = await loopback.client(listen);
      client.write(proxyHeader(2, { source: { address, port: 1111 }, destination }));
      return client;
    };
    const first = await connect('2001:db8:0:1::1');
    expect(await echoed(first, 'first')).to.equal('first');
    expect(await echoed(await connect('2001:db8:0:2::1'), 'other')).to.equal('other');
    expect(await failure(await connect('2001:db8:0:1::2'))).to.equal('ECONNRESET');
    expect(statusOf(relay).tooManyOfClient).to.deep.equal({ connections: 1, associations: 0 });
    const [refused] = lines(log, 'connection failed');
    expect(refused).to.deep.include({ side: 'client', client: '[2001:db8:0:1::2]:1111' });
    first.end();
    await eventually('its end', () => statusOf(relay).connections.active === 1, { intervalMs: 2 });
    expect(await echoed(await connect('2001:db8:0:1::2'), 'now')).to.equal('now');
  });

  it('drops and counts the datagrams of a client with too many associations', async () => {
    const clock = new FakeClock();
    const network = { no_tcp: true, use_udp: true, max_connections_per_client: 2 };
    const { relay, lines: log } = await loopback.relay(
      config(endpoint(await loopback.udpEcho(), {}, network)),
      { clock },
    );
    const { host, port } = split(listenOf(relay));
    const ask = async (from: string): Promise<string> => {
      const client = await loopback.udp(from);
      const answer = datagram(client);
      client.send('hello', port, host);
      return (await answer).toString();
    };
    for (let i = 0; i < 2; i += 1) expect(await ask(greedy)).to.equal('hello');
    const third = await loopback.udp(greedy);
    third.send('dropped', port, host);
    await eventually('the drop', () => statusOf(relay).tooManyOfClient.associations === 1, { intervalMs: 2 });
    expect(await ask(other)).to.equal('hello');
    const started = lines(log, 'association limit per client reached, dropping its further datagrams');
    expect(started).to.have.length(1);
    clock.advance(30_000); // udp_timeout
    expect(await ask(greedy)).to.equal('hello');
  });
});

describe('relay, queue of a connection limit', () => {
  /** A relay that serves one connection at a time, in front of an echo server. */
  async function queueing(network: RealmNetwork = {}): Promise<TestRelay & { holder: Socket }> {
    const remote = await loopback.echo();
    const relay = await loopback.relay(config(endpoint(remote, {}, { max_connections: 1, ...network })));
    const holder = await loopback.client(listenOf(relay.relay));
    expect(await echoed(holder, 'x')).to.equal('x');
    return { ...relay, holder };
  }

  it('serves clients in turns, and of one client the oldest connection first', async () => {
    const relay = await queueing();
    const listen = listenOf(relay.relay);
    const served: string[] = [];
    const come = async (from: string, name: string): Promise<void> => {
      const before = statusOf(relay.relay).waiting;
      const client = await loopback.client(listen, from);
      client.write(name);
      client.once('data', (part: Buffer) => {
        served.push(part.toString());
        client.end();
      });
      await waiting(relay, before + 1);
    };
    for (const name of ['greedy 1', 'greedy 2', 'greedy 3']) await come(greedy, name);
    for (const name of ['other 1', 'other 2']) await come(other, name);
    relay.holder.end();
    await eventually('all served', () => served.length === 5, { intervalMs: 2 });
    expect(served).to.deep.equal(['greedy 1', 'other 1', 'greedy 2', 'other 2', 'greedy 3']);
  });

  it('when full, resets the newest of the client with the most for one of another client', async () => {
    const relay = await queueing({ max_waiting: 3 });
    const listen = listenOf(relay.relay);
    const ends: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      const before = statusOf(relay.relay).waiting;
      void failure(await loopback.client(listen, greedy)).then(() => ends.push(name));
      await waiting(relay, before + 1);
    }
    const newcomer = await loopback.client(listen, other);
    await eventually('a reset', () => ends.length === 1, { intervalMs: 2 });
    expect(ends).to.deep.equal(['third']);
    // Its second connection takes no place of a client that has as many.
    expect(await failure(loopback.dial(listen, other))).to.equal('ECONNRESET');
    expect(await failure(loopback.dial(listen, greedy))).to.equal('ECONNRESET');
    expect(statusOf(relay.relay)).to.deep.include({
      waiting: 3,
      refused: { connections: 3, associations: 0 },
    });
    relay.holder.destroy();
    newcomer.write('served');
    await loopback.closeAll();
  });
});
