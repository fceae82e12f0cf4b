import type { Socket } from 'node:dgram';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/free-port.ts';
import { testEngine } from '../engines.ts';
import { endpoint, split } from '../loopback.ts';
import type { RelayProcess } from '../relay-process.ts';
import { fail, loopback, makeFolder, start, web, workersOf, write } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

const onlyUdp = { no_tcp: true, use_udp: true, udp_timeout: 600 }; // no association ends because a test takes long

/** An echo that knows which source ports of the relay each text came from. */
class Remote {
  readonly ports = new Map<string, number>();
  address = '';

  static async start(): Promise<Remote> {
    const remote = new Remote();
    const socket = await loopback.udp('127.0.0.1', (datagram, from, self) => {
      remote.ports.set(datagram.toString(), from.port);
      self.send(datagram, from.port, from.address);
    });
    remote.address = `127.0.0.1:${String(socket.address().port)}`;
    return remote;
  }
}

/** A client that repeats what gets no answer. */
class Client {
  readonly #socket: Socket;
  readonly #answers = new Set<string>();
  readonly #to: { readonly host: string; readonly port: number };
  readonly #name: string;
  #asked = 0;

  constructor(socket: Socket, listen: string) {
    this.#socket = socket;
    this.#to = split(listen);
    this.#name = String(socket.address().port);
    socket.on('message', (answer) => this.#answers.add(answer.toString()));
  }

  static async start(listen: string): Promise<Client> {
    return new Client(await loopback.udp(), listen);
  }

  /** @returns the text, once it was answered. */
  async ask(): Promise<string> {
    const text = `${this.#name} ${String((this.#asked += 1))}`;
    await eventually(`an answer to ${text}`, () => {
      this.#socket.send(text, this.#to.port, this.#to.host);
      return this.#answers.has(text);
    });
    for (const answer of this.#answers) expect(answer).to.match(new RegExp(`^${this.#name} `, 'u'));
    return text;
  }

  /** Enough for another thread to carry its datagrams. */
  async talk(): Promise<string> {
    for (let i = 0; i < 20; i += 1) await this.ask();
    return this.ask();
  }
}

/** Served clients, until each thread has one. */
async function clientsOfAll(relay: RelayProcess): Promise<Client[]> {
  const { listen } = await web(relay);
  const clients: Client[] = [];
  await eventually('clients in every thread', async () => {
    const client = await Client.start(listen);
    await client.ask();
    clients.push(client);
    return (await workersOf(relay)).running.every(({ load }) => load > 0);
  });
  return clients;
}

if (testEngine.name === 'kernel')
  describe('relay, UDP of several threads', () => {
    it('spreads 200 clients evenly, and appears as one relay in status and metrics', async () => {
      const remote = await Remote.start();
      const relay = await start([endpoint(remote.address, {}, onlyUdp)], ['--workers', '4']);
      const { listen } = await web(relay);
      const clients = await Promise.all(Array.from({ length: 200 }, () => Client.start(listen)));
      await Promise.all(clients.map((client) => client.ask()));
      await Promise.all(clients.map((client) => client.ask()));
      const { running } = await workersOf(relay);
      expect(running.reduce((sum, { load }) => sum + load, 0)).to.equal(200);
      expect(Math.max(...running.map(({ load }) => load))).to.be.at.most(75); // 1.5 times the mean
      const { associations, health } = await web(relay);
      expect(associations).to.include({ active: 200, total: 200 });
      expect(health.UDP[0]).to.include({ active: 200, healthy: true });
      expect((await relay.get('/metrics')).body).to.match(
        /^realm_relay_associations_active\{endpoint="web"\} 200$/mu,
      );
    });

    it('keeps associations, and their source ports, when a worker fails and when the next one serves', async () => {
      const remote = await Remote.start();
      const relay = await start([endpoint(remote.address, {}, onlyUdp)]);
      const clients = await clientsOfAll(relay);
      const ports = await Promise.all(clients.map(async (client) => remote.ports.get(await client.talk())));
      const victim = (await workersOf(relay)).running.find(({ thread }) => thread > 0);
      fail(victim?.thread ?? 0, 'exception');
      await relay.logged('worker failed, starting a replacement');
      const portsThen = await Promise.all(
        clients.map(async (client) => remote.ports.get(await client.ask())),
      );
      await relay.logged('worker started');
      const portsAfter = await Promise.all(
        clients.map(async (client) => remote.ports.get(await client.talk())),
      );
      expect(portsThen).to.deep.equal(ports);
      expect(portsAfter).to.deep.equal(ports);
      expect((await web(relay)).associations).to.include({ active: clients.length, total: clients.length });
      const { running, replaced } = await workersOf(relay);
      expect(replaced).to.equal(1);
      expect(running.every(({ load }) => load > 0)).to.equal(true);
    });

    it('applies limits to all threads together, exactly', async () => {
      const remote = await Remote.start();
      const limits = { max_associations: 10 };
      const relay = await start(
        [endpoint(remote.address, {}, { ...onlyUdp, ...limits })],
        ['--workers', '3'],
      );
      const { listen } = await web(relay);
      for (let i = 0; i < 30; i += 1) await (await Client.start(listen)).ask();
      const status = await web(relay);
      expect(status.associations).to.include({ active: 10, max: 10, total: 30 });
      expect(status).to.include({ evicted: 20 });
    });

    it('keeps associations across a reload, and ends those of a remote that it removes', async () => {
      const [remote, next] = [await Remote.start(), await Remote.start()];
      const listen = `127.0.0.1:${String(await freePort())}`;
      const of = (address: string, network: object): void => {
        write([endpoint(address, { listen }, { ...onlyUdp, ...network })]);
      };
      const relay = await start([endpoint(remote.address, { listen }, onlyUdp)]);
      const clients = await clientsOfAll(relay);
      const ports = await Promise.all(clients.map(async (client) => remote.ports.get(await client.talk())));
      of(remote.address, { max_connections: 77 });
      await eventually('the reload', async () => (await web(relay)).limits.connections === 77);
      const after = await Promise.all(clients.map(async (client) => remote.ports.get(await client.talk())));
      expect(after).to.deep.equal(ports);
      of(next.address, { max_connections: 77 });
      await eventually('the reload', async () => (await web(relay)).remotes.includes(next.address));
      for (const client of clients) expect(next.ports.has(await client.ask())).to.equal(true);
    });

    it('is refused a port that another relay has, with as many threads', async () => {
      const remote = await Remote.start();
      const first = await start([endpoint(remote.address, {}, onlyUdp)]);
      const { listen } = await web(first);
      makeFolder();
      const second = await start([endpoint(remote.address, { listen }, onlyUdp)]);
      expect(await second.logged('bind failed, retrying')).to.include({ reason: 'AddressInUse' });
      await (await Client.start(listen)).ask();
      expect((await web(first)).associations.total).to.equal(1);
    });

    it('ends a drain as soon as its associations are idle', async () => {
      const remote = await Remote.start();
      const relay = await start([endpoint(remote.address, {}, onlyUdp)]);
      const clients = await clientsOfAll(relay);
      for (const client of clients) await client.talk();
      relay.kill('SIGTERM');
      expect(await relay.ended).to.equal(0);
      expect(relay.lines.at(-1)).to.include({ msg: 'relay stopped', ended: clients.length, cut: 0 });
    });
  });
