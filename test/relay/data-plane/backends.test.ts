import { once } from 'node:events';
import type { Socket as UdpSocket } from 'node:dgram';
import { expect } from 'chai';
import type { RealmBackend } from '../../../src/config/backends.ts';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import { errorCode } from '../../../src/lib/errors.ts';
import type { RelayOptions } from '../../../src/relay/server.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { engines } from '../engines.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  split,
  statusOf,
  type TestRelay,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const mostlyRefused: readonly RealmBackend[] = [
  { weight: 200_000, remotes: [0] },
  { weight: 800_000, refuse: true },
];

/** A relay whose clock stands still, so that no dial is overtaken by the next one, however slow the machine is. */
function start(first: RelayConfig, options: Partial<RelayOptions> = {}): Promise<TestRelay> {
  return loopback.relay(first, { clock: new FakeClock(), ...options });
}

/** What each of `count` clients, one after the other, gets until its end; ECONNRESET for one that is refused. */
async function outcomes(listen: string, count: number, from?: string): Promise<string[]> {
  const all: string[] = [];
  for (let client = 0; client < count; client += 1) all.push(await outcome(listen, from));
  return all;
}

function outcome(listen: string, from?: string): Promise<string> {
  const socket = loopback.dial(listen, from);
  const result = received(socket).catch((error: unknown) => `failed ${errorCode(error)}`);
  return result.finally(() => socket.destroy());
}

function counts(all: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    [...new Set(all)].map((each) => [each, all.filter((one) => one === each).length]),
  );
}

describe('relay, backends', () => {
  for (const engine of engines)
    it(`refuse 80 % of 200 TCP clients if a backend with 80 % of the weight refuses: engine ${engine.name}`, async () => {
      const remote = await loopback.greeter('hello');
      const { relay, lines } = await start(config(endpoint(remote, { backends: mostlyRefused })), {
        engine,
      });
      const logged = lines.filter(({ level }) => level !== 'debug').length;
      expect(counts(await outcomes(listenOf(relay), 200))).to.deep.equal({
        hello: 40,
        'failed ECONNRESET': 160,
      });
      await eventually('the end', () => statusOf(relay).connections.active === 0);
      const { connections, backendRefused, health } = statusOf(relay);
      expect(backendRefused).to.deep.equal({ connections: 160, associations: 0 });
      expect(connections).to.deep.include({ total: 40, failed: { client: 0, upstream: 0, relay: 0 } });
      expect(health.TCP[0]).to.include({ dials: 40, failed: 0, state: 'healthy' });
      expect(lines.slice(logged).filter(({ msg }) => msg !== 'connection closed')).to.deep.equal([]);
      expect(relay.status().recentErrors).to.deep.equal([]);
    });

  const listeners: { why: string; fields: Partial<RealmEndpoint>; network?: RealmNetwork; send?: string }[] =
    [
      { why: 'before a TLS handshake', fields: { listen_transport: 'tls;servername=a.example' } },
      { why: 'before a WebSocket handshake', fields: { listen_transport: 'ws;host=a;path=/' } },
      {
        why: 'once a PROXY header has named the client',
        fields: {},
        network: { accept_proxy: true },
        send: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
      },
      {
        why: 'once a PROXY header has named the client, before a TLS handshake',
        fields: { listen_transport: 'tls;servername=a.example' },
        network: { accept_proxy: true },
        send: 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
      },
    ];
  for (const { why, fields, network, send } of listeners)
    it(`refuse clients ${why}`, async () => {
      let dialled = 0;
      const remote = await loopback.tcpRemote(() => (dialled += 1));
      const backends = [{ weight: 1, refuse: true }];
      const { relay, lines } = await start(config(endpoint(remote, { ...fields, backends }, network)));
      const client = loopback.dial(listenOf(relay));
      if (send !== undefined) client.write(send);
      expect(await failure(client)).to.equal('ECONNRESET');
      await eventually('the count', () => statusOf(relay).backendRefused.connections === 1);
      await eventually('the end', () => statusOf(relay).connections.active === 0);
      expect(statusOf(relay).connections.failed).to.deep.equal({ client: 0, upstream: 0, relay: 0 });
      expect(lines.filter(({ msg }) => /fail|reject/.test(msg))).to.deep.equal([]);
      expect(dialled).to.equal(0);
    });

  it('share clients by weight, and fail over only within the one that was chosen', async () => {
    const down = `127.0.0.1:${String(await freePort())}`;
    const others = [await loopback.greeter('b'), down, await loopback.greeter('c')];
    const backends = [
      { weight: 1, remotes: [0] },
      { weight: 3, remotes: [1] },
      { weight: 4, remotes: [2, 3] },
    ];
    const { relay } = await start(config(endpoint(down, { extra_remotes: others, backends })));
    expect(counts(await outcomes(listenOf(relay), 80))).to.deep.equal({
      'failed ECONNRESET': 10,
      b: 30,
      c: 40,
    });
  });

  it('apply the weights and the strategy of balance to the remotes of each', async () => {
    const [a, b, c] = [await loopback.greeter('a'), await loopback.greeter('b'), await loopback.greeter('c')];
    const backends = [
      { weight: 1, remotes: [0] },
      { weight: 1, remotes: [1, 2] },
    ];
    const fields = { extra_remotes: [b, c], balance: 'roundrobin: 1, 1, 3', backends };
    const { relay } = await start(config(endpoint(a, fields)));
    expect(counts(await outcomes(listenOf(relay), 80))).to.deep.equal({ a: 40, b: 10, c: 30 });
  });

  it('keep each client with iphash, also one that is refused', async () => {
    const remote = await loopback.greeter('hello');
    const backends = [
      { weight: 1, remotes: [0] },
      { weight: 1, refuse: true },
    ];
    const { relay } = await start(config(endpoint(remote, { balance: 'iphash: 1', backends })));
    const clients = Array.from({ length: 16 }, (_, index) => `127.0.0.${String(index + 1)}`);
    const seen = new Set<string>();
    for (const client of clients) {
      const own = new Set(await outcomes(listenOf(relay), 3, client));
      expect(own.size, client).to.equal(1);
      for (const each of own) seen.add(each);
    }
    expect([...seen]).to.have.members(['hello', 'failed ECONNRESET']);
  });

  it('change by a reload for new clients, while open connections go on', async () => {
    const remote = await loopback.echo();
    const of = (backends?: readonly RealmBackend[]) => ({
      ...endpoint(remote, { listen: `127.0.0.1:${String(port)}` }),
      ...(backends && { backends }),
    });
    const port = await freePort();
    const { relay } = await start(config(of()));
    const client = await loopback.client(listenOf(relay));
    expect(await loopback.exchange(client, 'before')).to.equal('before');
    await relay.reload(config(of([{ weight: 1, refuse: true }])));
    expect(await outcome(listenOf(relay))).to.equal('failed ECONNRESET');
    expect(await loopback.exchange(client, 'during')).to.equal('during');
    await relay.reload(config(of([{ weight: 1, remotes: [0] }])));
    expect(await loopback.exchange(await loopback.client(listenOf(relay)), 'x')).to.equal('x');
    expect(await loopback.exchange(client, 'after')).to.equal('after');
  });

  it('go on with their turns after a reload that changes only the remotes', async () => {
    const [a, b] = [await loopback.greeter('a'), await loopback.greeter('b')];
    const port = await freePort();
    const of = (first: string) =>
      endpoint(first, { listen: `127.0.0.1:${String(port)}`, backends: mostlyRefused });
    const { relay } = await start(config(of(a)));
    const all: string[] = [];
    for (let client = 0; client < 20; client += 1) {
      all.push(await outcome(listenOf(relay)));
      await relay.reload(config(of(client % 2 === 0 ? b : a)));
    }
    expect(all.filter((each) => each === 'failed ECONNRESET').length).to.equal(16);
  });
});

describe('relay, backends of UDP', () => {
  /** Sends a datagram of each client, and waits for what is served: the relay counts the others. */
  async function send({ relay }: TestRelay, clients: readonly UdpSocket[], total: number): Promise<void> {
    const { host, port } = split(listenOf(relay));
    for (const client of clients) client.send('x', port, host);
    await eventually('all datagrams', () => {
      const { backendRefused, associations } = statusOf(relay);
      return backendRefused.associations + associations.fromClientBytes === total;
    });
  }

  it('drop the datagrams of 80 % of 200 clients, and go on with these clients', async () => {
    const remote = await loopback.udpEcho();
    const network = { use_udp: true, no_tcp: true };
    const started = await start(config(endpoint(remote, { backends: mostlyRefused }, network)));
    const clients = await Promise.all(Array.from({ length: 200 }, () => loopback.udp()));
    await send(started, clients, 200);
    expect(statusOf(started.relay).backendRefused).to.deep.equal({ connections: 0, associations: 160 });
    await send(started, clients, 400);
    expect(statusOf(started.relay).backendRefused).to.deep.equal({ connections: 0, associations: 320 });
    expect(statusOf(started.relay).associations).to.include({ total: 40, active: 40 });
  });

  it('serve a client that was refused once its backend does not refuse', async () => {
    const remote = await loopback.udpEcho();
    const network = { use_udp: true, no_tcp: true };
    const port = await freePort();
    const of = (backends: readonly RealmBackend[]) =>
      config(endpoint(remote, { listen: `127.0.0.1:${String(port)}`, backends }, network));
    const started = await start(of([{ weight: 1, refuse: true }]));
    const client = await loopback.udp();
    await send(started, [client], 1);
    await started.relay.reload(of([{ weight: 1, remotes: [0] }]));
    const answer = once(client, 'message');
    client.send('x', port, '127.0.0.1');
    await answer;
  });

  it('fail over only within the one that was chosen', async () => {
    const down = `127.0.0.1:${String(await freePort())}`;
    const remote = await loopback.udpEcho();
    const backends = [
      { weight: 1, remotes: [0] },
      { weight: 1, remotes: [1] },
    ];
    const network = { use_udp: true, no_tcp: true };
    const fields = { extra_remotes: [remote], backends };
    const { relay } = await start(config(endpoint(down, fields, network)));
    const { host, port } = split(listenOf(relay));
    const clients = await Promise.all(Array.from({ length: 4 }, () => loopback.udp()));
    let answers = 0;
    for (const client of clients) {
      client.on('message', () => (answers += 1));
      for (let datagram = 0; datagram < 3; datagram += 1) client.send('x', port, host);
    }
    await eventually('the answers', () => answers === 6);
    const { health } = statusOf(relay);
    expect(health.UDP.map(({ fromUpstreamBytes }) => fromUpstreamBytes)).to.deep.equal([0, 6]);
    expect(health.UDP[1]?.dials).to.equal(2);
  });
});
