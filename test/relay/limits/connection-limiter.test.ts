import type { Socket } from 'node:net';
import { expect } from 'chai';
import type { RealmNetwork } from '../../../src/config/realm-document.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, failure, listenOf, Loopback, statusOf, times } from '../loopback.ts';
import type { TestRelay } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Resolves when `count` clients wait. */
async function waiting({ relay }: TestRelay, count: number): Promise<void> {
  await eventually(`${String(count)} waiting`, () => statusOf(relay).waiting === count, { intervalMs: 2 });
}

describe('relay, connection limits', () => {
  /** A relay in front of an echo server; `seen` counts the connections that reached the server. */
  async function limited(
    network: RealmNetwork,
    clock = new FakeClock(),
  ): Promise<TestRelay & { seen: () => number }> {
    let seen = 0;
    const remote = await loopback.tcpRemote((socket) => {
      seen += 1;
      socket.pipe(socket);
    });
    return { ...(await loopback.relay(config(endpoint(remote, {}, network)), { clock })), seen: () => seen };
  }

  /** A client that is served. */
  async function served({ relay }: TestRelay): Promise<Socket> {
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    return client;
  }

  it('lets clients beyond max_connections wait without a dial, and serves the oldest first', async () => {
    const relay = await limited({ max_connections: 1 });
    const first = await served(relay);
    const [second, third] = [
      await loopback.client(listenOf(relay.relay)),
      loopback.dial(listenOf(relay.relay)),
    ];
    await waiting(relay, 2);
    const answers: string[] = [];
    for (const [client, name] of [
      [second, 'second'],
      [third, 'third'],
    ] as const) {
      client.write(name);
      client.on('data', (part: Buffer) => answers.push(part.toString()));
    }
    expect(relay.seen()).to.equal(1);
    first.end();
    await eventually('the second', () => answers.length === 1);
    expect([relay.seen(), statusOf(relay.relay).waiting]).to.deep.equal([2, 1]);
    second.end();
    await eventually('the third', () => answers.length === 2);
    expect(answers).to.deep.equal(['second', 'third']);
  });

  it('resets and counts clients beyond max_waiting', async () => {
    const relay = await limited({ max_connections: 1, max_waiting: 1 });
    await served(relay);
    await loopback.client(listenOf(relay.relay));
    await waiting(relay, 1);
    for (let i = 0; i < 3; i += 1) {
      expect(await failure(loopback.dial(listenOf(relay.relay)))).to.equal('ECONNRESET');
    }
    expect(statusOf(relay.relay).refused).to.deep.equal({ connections: 3, associations: 0 });
    expect(times(relay.lines, 'queue full, resetting clients')).to.equal(1);
  });

  it('logs an incident once when it starts and once when it ends', async () => {
    const relay = await limited({ max_connections: 1 });
    for (const incident of [1, 2]) {
      const client = await served(relay);
      const [next, last] = [loopback.dial(listenOf(relay.relay)), loopback.dial(listenOf(relay.relay))];
      await waiting(relay, 2);
      for (const each of [client, next, last]) each.end();
      await eventually(
        'the end',
        () => times(relay.lines, 'connection limit no longer reached') === incident,
      );
      expect(times(relay.lines, 'connection limit reached')).to.equal(incident);
    }
    const end = relay.lines.find(({ msg }) => msg === 'connection limit no longer reached');
    expect(end).to.deep.include({ endpoint: 'web', waited: 2, refused: 0 });
  });

  it('serves waiting clients when a reload raises the limit', async () => {
    const relay = await limited({ max_connections: 1 });
    await served(relay);
    const client = await loopback.client(listenOf(relay.relay));
    await waiting(relay, 1);
    const remote = statusOf(relay.relay).remotes[0] ?? '';
    await relay.relay.reload(config(endpoint(remote, {}, { max_connections: 2 })));
    expect(await loopback.exchange(client, 'at last')).to.equal('at last');
  });

  it('serves waiting clients while it drains, and cuts and counts the others at the deadline', async () => {
    const clock = new FakeClock();
    const relay = await limited({ max_connections: 1 }, clock);
    const first = await served(relay);
    const [second, third] = [
      await loopback.client(listenOf(relay.relay)),
      loopback.dial(listenOf(relay.relay)),
    ];
    await waiting(relay, 2);
    const drained = relay.relay.drain(10_000);
    first.end();
    expect(await loopback.exchange(second, 'still served')).to.equal('still served');
    const failed = Promise.all([failure(second), failure(third)]);
    clock.advance(10_000);
    expect(await failed).to.deep.equal(['ECONNRESET', 'ECONNRESET']);
    expect(await drained).to.deep.equal({ ended: 1, cut: 2 });
  });
});
