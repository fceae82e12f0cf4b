import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, failure, listenOf, Loopback, statusOf, times, openFilesFor } from '../loopback.ts';
import { whereClientsWait } from '../engines.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const short = 'file descriptor limit reached, TCP clients wait in the kernel';
const eased = 'file descriptors available again for TCP clients';
const lost = 'resetting clients that wait in the kernel';

/** A client that sends `name` and leaves after its answer. @returns `served`, or the code of its error. */
async function visit(listen: string, name: string): Promise<string> {
  const client = loopback.dial(listen);
  const ended = failure(client);
  const answer = loopback.exchange(client, name).then(
    (text) => (text === name ? 'served' : `got ${text}`),
    () => ended,
  );
  const outcome = await Promise.race([answer, ended]);
  client.end();
  return outcome;
}

/** The relay program with a limit of `limit` open files. */
function limited(limit: number, argv: readonly string[]): RelayProcess {
  const wrapper = ['bash', '-c', `ulimit -n ${String(limit)}; exec "$@"`, 'bash'];
  const relay = new RelayProcess([...argv, '--admin', '127.0.0.1:0'], wrapper);
  loopback.onClose(() => relay.end());
  return relay;
}

async function webOf(relay: RelayProcess) {
  const { endpoints, ...rest } = await relay.status();
  const [web] = endpoints;
  if (web === undefined) throw new Error('no endpoint');
  return { ...web, ...rest };
}

whereClientsWait.describe('relay, file descriptors', () => {
  it('serves all of 120 clients at 58 descriptors, and logs the shortage once', async () => {
    const relay = limited(58, ['-l', '127.0.0.1:0', '-r', await loopback.echo()]);
    const { listen } = await webOf(relay);
    const names = Array.from({ length: 120 }, (_, index) => `client ${String(index)}`);
    const outcomes = await Promise.all(names.map((name) => visit(listen, name)));
    expect(new Set(outcomes)).to.deep.equal(new Set(['served']));
    await eventually('the end', async () => (await webOf(relay)).connections.active === 0);
    const { refused, connections } = await webOf(relay);
    expect(refused.connections).to.equal(0);
    expect(connections).to.deep.include({ total: 120, failed: { client: 0, upstream: 0, relay: 0 } });
    expect(times(relay.lines, short)).to.equal(1);
  });

  it('reports the shortage at the admin server, which answers while clients wait', async () => {
    const relay = limited(136, ['-l', '127.0.0.1:0', '-r', await loopback.echo()]);
    const { listen } = await webOf(relay);
    const clients = await Promise.all(Array.from({ length: 42 }, () => loopback.client(listen)));
    const answers = clients.map((client, index) => loopback.exchange(client, `client ${String(index)}`));
    await relay.logged(short);
    const { connections, descriptorsShort, recentErrors } = await webOf(relay);
    expect([connections.active, descriptorsShort]).to.deep.equal([35, 1]);
    expect(recentErrors[0]).to.deep.include({ reason: 'DescriptorsShort', message: short });
    expect((await relay.get('/metrics')).body).to.match(/^realm_relay_descriptors_short 1$/m);
    for (const path of ['/livez', '/readyz']) expect((await relay.get(path)).status).to.equal(200);
    for (const [index, client] of clients.entries()) {
      expect(await answers[index]).to.equal(`client ${String(index)}`);
      client.end();
    }
    await eventually('room', async () => (await relay.status()).descriptorsShort === 0);
    await eventually('the metric', async () =>
      /^realm_relay_descriptors_short 0$/m.test((await relay.get('/metrics')).body),
    );
  });

  it('accepts a new configuration while clients wait, and pauses its new listener, too', async () => {
    const path = join(loopback.folder(), 'config.json');
    const remote = await loopback.echo();
    const write = (...endpoints: RealmEndpoint[]): void => {
      writeFileSync(path, JSON.stringify({ endpoints }));
    };
    write(endpoint(remote));
    const relay = limited(58, ['-c', path]);
    const { listen } = await webOf(relay);
    const held = await Promise.all(Array.from({ length: 5 }, () => loopback.client(listen)));
    await relay.logged(short);
    const waiting = visit(listen, 'waiting');
    const other = `127.0.0.1:${String(await freePort())}`;
    write(endpoint(remote), endpoint(remote, { name: 'other', listen: other }));
    await eventually('the other', async () => (await relay.status()).endpoints[1]?.ready);
    const late = visit(other, 'late');
    expect((await relay.status()).endpoints[1]?.connections.total).to.equal(0);
    for (const client of held) client.end();
    expect(await Promise.all([waiting, late])).to.deep.equal(['served', 'served']);
  });

  it('exits on SIGTERM while clients wait, which it resets and logs', async () => {
    const relay = limited(58, ['-l', '127.0.0.1:0', '-r', await loopback.echo()]);
    const { listen } = await webOf(relay);
    const held = await Promise.all(Array.from({ length: 5 }, () => loopback.client(listen)));
    await relay.logged(short);
    const waiting = await Promise.all(Array.from({ length: 3 }, () => loopback.client(listen)));
    const failures = waiting.map(failure);
    relay.kill('SIGTERM');
    expect(await Promise.all(failures)).to.deep.equal(['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
    expect(await loopback.exchange(held[0] as Socket, 'goes on')).to.equal('goes on');
    for (const client of held) client.end();
    expect(await relay.ended).to.equal(0);
    expect(relay.lines.find(({ msg }) => msg === lost)).to.deep.include({ clients: 3 });
  });
});

describe('relay, file descriptor budget', () => {
  /** The limit of open files that leaves a relay with `sockets` listening sockets room for `clients`. */
  const filesFor = (sockets: number, clients: number): number => openFilesFor(sockets + 2 * clients);

  /** A client of `listen` that is served and stays. */
  async function holder(listen: string): Promise<Socket> {
    const client = await loopback.client(listen);
    expect(await loopback.exchange(client, 'x')).to.equal('x');
    return client;
  }

  whereClientsWait.it('serves the waiting clients of all endpoints in turn', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote), endpoint(remote, { name: 'other' })), {
      openFiles: filesFor(2, 1),
    });
    const held = await holder(listenOf(relay));
    const order: string[] = [];
    const visits = ['web', 'web', 'web', 'other', 'other', 'other'].map(async (name) => {
      expect(await visit(listenOf(relay, name), name)).to.equal('served');
      order.push(name);
    });
    held.end();
    await Promise.all(visits);
    expect(order.slice(0, 4).toSorted()).to.deep.equal(['other', 'other', 'web', 'web']);
  });

  whereClientsWait.it('serves the waiting clients of 300 listeners', async () => {
    const remote = await loopback.echo();
    const names = Array.from({ length: 300 }, (_, index) => `web ${String(index)}`);
    const endpoints = names.map((name) => endpoint(remote, { name }));
    const { relay, lines } = await loopback.relay(config(...endpoints), { openFiles: filesFor(300, 2) });
    const listens = names.map((name) => listenOf(relay, name));
    const outcomes = await Promise.all(listens.map((listen) => visit(listen, listen)));
    expect(new Set(outcomes)).to.deep.equal(new Set(['served']));
    expect(times(lines, short)).to.equal(1);
  });

  whereClientsWait.it(
    'frees the port of a removed endpoint whose clients wait, and resets them',
    async () => {
      const remote = await loopback.echo();
      const { relay, lines } = await loopback.relay(
        config(endpoint(remote, { name: 'other' }), endpoint(remote)),
        { openFiles: filesFor(2, 1) },
      );
      const [web, other] = [listenOf(relay), listenOf(relay, 'other')];
      await holder(other);
      const waiting = failure(await loopback.client(web));
      await relay.reload(config(endpoint(remote, { name: 'other' })));
      expect(await waiting).to.equal('ECONNRESET');
      expect(times(lines, lost)).to.equal(1);
      expect(await failure(loopback.dial(web))).to.equal('ECONNREFUSED');
    },
  );

  whereClientsWait.it(
    'reserves the upstream descriptor of a client that waits for max_connections',
    async () => {
      const { relay } = await loopback.relay(
        config(endpoint(await loopback.echo(), {}, { max_connections: 1 })),
        { openFiles: filesFor(1, 3) },
      );
      const listen = listenOf(relay);
      const held = await holder(listen);
      const visits = Array.from({ length: 6 }, (_, index) => visit(listen, `client ${String(index)}`));
      await eventually('two who wait', () => statusOf(relay).waiting === 2);
      expect(relay.status().descriptorsShort).to.equal(1);
      held.end();
      expect(new Set(await Promise.all(visits))).to.deep.equal(new Set(['served']));
      await eventually('the end', () => relay.status().descriptorsShort === 0);
    },
  );

  it('resets, counts and logs the clients if this Node.js cannot make them wait', async () => {
    const clock = new FakeClock();
    const { relay, lines } = await loopback.relay(config(endpoint(await loopback.echo())), {
      openFiles: filesFor(1, 1),
      engine: nodeEngine,
      clock,
    });
    const held = await holder(listenOf(relay));
    for (let i = 0; i < 3; i += 1) expect(await visit(listenOf(relay), 'x')).to.equal('ECONNRESET');
    expect(statusOf(relay).refused.connections).to.equal(3);
    expect(times(lines, 'file descriptor limit reached, TCP clients are reset')).to.equal(1);
    held.end();
    await eventually('its end', () => statusOf(relay).connections.active === 0);
    expect(await visit(listenOf(relay), 'later')).to.equal('served');
    await eventually('the end', () => relay.status().descriptorsShort === 0);
    expect(times(lines, eased)).to.equal(0);
    clock.advance(60_000);
    expect(times(lines, eased)).to.equal(1);
  });
});
