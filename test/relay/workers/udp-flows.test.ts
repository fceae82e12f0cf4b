import type { Socket } from 'node:dgram';
import { expect } from 'chai';
import { ownMemoryCells, TakenMemory } from '../../../src/relay/limits/taken-memory.ts';
import { kernelDatagrams } from '../../../src/relay/net/kernel-datagrams.ts';
import { kernelStack } from '../../../src/relay/net/kernel-stack.ts';
import { FlowCarrier } from '../../../src/relay/workers/flow-carrier.ts';
import type { UdpOrder, UdpReport } from '../../../src/relay/workers/udp-messages.ts';
import { UdpSockets } from '../../../src/relay/workers/udp-sockets.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { testEngine } from '../engines.ts';
import { config, endpoint, listenOf, split, statusOf, type TestRelay } from '../loopback.ts';
import { loopback, onlyUdp, Server } from '../udp/peers.ts';

afterEach(() => loopback.closeAll());

/** Both sides of the UDP of a worker in this thread, whose messages arrive in the next turn of the event loop. */
class Carrying {
  readonly sockets = new UdpSockets();
  readonly clock: FakeClock;
  readonly kinds: string[] = [];
  #carrier: FlowCarrier | undefined;

  constructor(clock: FakeClock) {
    this.clock = clock;
  }

  /** A worker is ready. */
  start(): void {
    const carrier = new FlowCarrier({
      memory: this.sockets.memory,
      taken: new TakenMemory(1024 * 1024, ownMemoryCells(), () => undefined),
      nowMs: () => this.clock.monotonicMs(),
      post: (report) => {
        this.#later(report, carrier, () => {
          this.sockets.onReport(report);
        });
      },
    });
    this.#carrier = carrier;
    this.sockets.attach((order) => {
      this.#later(order, carrier, () => {
        carrier.receive(order);
      });
    });
  }

  /** How many messages of `kind` there were. */
  count(kind: (UdpOrder | UdpReport)['kind']): number {
    return this.kinds.filter((each) => each === kind).length;
  }

  #later({ kind }: UdpOrder | UdpReport, carrier: FlowCarrier, run: () => void): void {
    this.kinds.push(kind);
    setImmediate(() => {
      if (carrier === this.#carrier) run();
    });
  }
}

/** A client whose datagrams arrive at the socket of the worker. */
async function carriedClient({ relay }: TestRelay, { sockets }: Carrying): Promise<Client> {
  const before = sockets.clients;
  for (;;) {
    const client = new Client(await loopback.udp(), listenOf(relay));
    const total = statusOf(relay).associations.total;
    client.send('first');
    await eventually('its association', () => statusOf(relay).associations.total > total);
    if (sockets.clients > before) return client;
  }
}

class Client {
  readonly answers: string[] = [];
  readonly #socket: Socket;
  readonly #to: { readonly host: string; readonly port: number };

  constructor(socket: Socket, to: string) {
    this.#socket = socket;
    this.#to = split(to);
    socket.on('message', (message) => this.answers.push(message.toString()));
  }

  send(text: string): void {
    this.#socket.send(text, this.#to.port, this.#to.host);
  }

  async ask(text: string): Promise<void> {
    this.send(text);
    await eventually(`an answer to ${text}`, () => this.answers.some((each) => each.endsWith(text)));
  }

  /** Asks until the worker carries its datagrams. */
  async untilCarried(carrying: Carrying): Promise<void> {
    const before = carrying.count('carry');
    for (let i = 0; carrying.count('carry') === before; i += 1) await this.ask(`until carried ${String(i)}`);
  }
}

type Started = { relayed: TestRelay; carrying: Carrying; clock: FakeClock };

async function start(remote: string, more: readonly string[] = [], network: object = {}): Promise<Started> {
  const clock = new FakeClock();
  const carrying = new Carrying(clock);
  carrying.start();
  const engine = { name: 'kernel', tcp: kernelStack(), udp: kernelDatagrams([carrying.sockets]) } as const;
  const one = endpoint(remote, more.length > 0 ? { extra_remotes: [...more] } : {}, {
    ...onlyUdp,
    ...network,
  });
  const relayed = await loopback.relay(config(one), { clock, engine });
  return { relayed, carrying, clock };
}

if (testEngine.name === 'kernel')
  describe('relay, flows of UDP', () => {
    it('are carried by the thread that receives them, both ways and in order, and all bytes count', async () => {
      const server = await Server.start('one');
      const { relayed, carrying } = await start(server.address);
      const client = await carriedClient(relayed, carrying);
      await client.untilCarried(carrying);
      const batches = carrying.count('batch');
      const texts = Array.from({ length: 50 }, (_, index) => `numbered ${String(index)}`);
      for (const text of texts) client.send(text);
      await eventually('their answers', () => client.answers.at(-1) === `one ${texts.at(-1) ?? ''}`);
      expect(server.texts.slice(-50)).to.deep.equal(texts);
      expect(client.answers.slice(-50)).to.deep.equal(texts.map((text) => `one ${text}`));
      expect(carrying.count('batch')).to.equal(batches); // none came through the main thread
      const { associations, health } = statusOf(relayed.relay);
      const sent = server.texts.join('').length;
      const bytes = { fromClientBytes: sent, fromUpstreamBytes: sent + server.texts.length * 'one '.length };
      expect(associations).to.include(bytes);
      expect(health.UDP[0]).to.include(bytes);
    });

    it('keep their association from becoming idle, which ends it as usual', async () => {
      const server = await Server.start('one');
      const { relayed, carrying, clock } = await start(server.address);
      const client = await carriedClient(relayed, carrying);
      await client.untilCarried(carrying);
      const { active } = statusOf(relayed.relay).associations;
      clock.advance(29_000);
      await client.ask('still here');
      clock.advance(29_000);
      expect(statusOf(relayed.relay).associations.active).to.equal(1); // those of other clients have ended
      expect(active).to.be.at.least(1);
      clock.advance(1000);
      expect(statusOf(relayed.relay).associations.active).to.equal(0);
      await eventually('its return', () => carrying.count('returned') === 1);
      await client.ask('again');
      expect(statusOf(relayed.relay).associations.active).to.equal(1);
    });

    it('come back with the error of the remote, and the client goes to another one', async () => {
      const [one, two] = [await Server.start('one'), await Server.start('two')];
      const { relayed, carrying } = await start(one.address, [two.address]);
      const client = await carriedClient(relayed, carrying);
      await client.untilCarried(carrying);
      await one.close();
      client.send('lost');
      await eventually('its return', () => carrying.count('returned') === 1);
      await client.ask('to the other');
      expect(client.answers.at(-1)).to.equal('two to the other');
      expect(statusOf(relayed.relay).health.UDP[0]).to.include({ healthy: false });
    });

    it('come back after silence that is a reason to try another remote', async () => {
      const [one, two] = [await Server.start('one'), await Server.start('two')];
      const { relayed, carrying, clock } = await start(one.address, [two.address], { udp_timeout: 120 });
      const client = await carriedClient(relayed, carrying);
      clock.advance(1);
      await client.untilCarried(carrying);
      one.isAnswering = false;
      client.send('unanswered');
      await eventually('it', () => one.texts.includes('unanswered'));
      clock.advance(119_000);
      client.send('still patient');
      await eventually('it', () => one.texts.includes('still patient'));
      expect(carrying.count('returned')).to.equal(0);
      clock.advance(1000);
      await client.ask('to the other');
      expect(client.answers.at(-1)).to.equal('two to the other');
      expect(carrying.count('returned')).to.equal(1);
    });

    it('of a remote that never answers are carried, and its first answer counts', async () => {
      const server = await Server.start('one');
      server.isAnswering = false;
      const { relayed, carrying } = await start(server.address);
      const client = await carriedClient(relayed, carrying);
      for (let i = 0; carrying.count('carry') === 0; i += 1) {
        client.send(`one way ${String(i)}`);
        await eventually('it', () => server.texts.includes(`one way ${String(i)}`));
      }
      expect(statusOf(relayed.relay).health.UDP[0]).to.include({ state: 'unknown' });
      server.isAnswering = true;
      await client.ask('now');
      expect(statusOf(relayed.relay).health.UDP[0]).to.include({ state: 'healthy' });
      await client.untilCarried(carrying);
    });

    it('do not hold up the end of their socket: it frees the port, and their association ends', async () => {
      const server = await Server.start('one');
      const { relayed, carrying } = await start(server.address);
      const client = await carriedClient(relayed, carrying);
      await client.untilCarried(carrying);
      const listen = listenOf(relayed.relay);
      await relayed.relay.close();
      const { host, port } = split(listen);
      await eventually('the port', async () => {
        const socket = await loopback.udp(host, undefined, port).catch(() => undefined);
        return socket !== undefined;
      });
      expect(carrying.count('left')).to.equal(1);
    });

    it('have the header of an association before each datagram if it is to be there', async () => {
      const server = await Server.start('one');
      const proxied = { send_proxy: true, send_proxy_udp: true, send_proxy_every_datagram: true };
      const { relayed, carrying } = await start(server.address, [], proxied);
      const client = await carriedClient(relayed, carrying);
      await client.untilCarried(carrying);
      await client.ask('with a header');
      expect(server.texts.at(-1)).to.match(/^\r\n\r\n\0\r\nQUIT\n.*with a header$/s);
    });
  });
