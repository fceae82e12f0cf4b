import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import type { RelayServer } from '../../../src/relay/server.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, listenOf, Loopback, split, statusOf, type TestRelay } from '../loopback.ts';

/** Sockets and relays of a test; `closeAll` them after it. */
export const loopback = new Loopback();

/** Settings of an endpoint that relays UDP alone. */
export const onlyUdp = { no_tcp: true, use_udp: true, udp_timeout: 30 };

/** A UDP server that keeps what it receives, and answers with its name and that while `isAnswering`. */
export class Server {
  readonly texts: string[] = [];
  /** The source port of each datagram. */
  readonly ports: number[] = [];
  isAnswering = true;
  socket: Socket | undefined;
  port = 0;

  static async start(label: string, { host = '127.0.0.1', port = 0 } = {}): Promise<Server> {
    const server = new Server();
    await server.listen(label, host, port === 0 ? await freePort() : port);
    return server;
  }

  async listen(label: string, host = '127.0.0.1', port = this.port): Promise<void> {
    const onDatagram = (datagram: Buffer, from: { address: string; port: number }, self: Socket): void => {
      this.texts.push(datagram.toString());
      this.ports.push(from.port);
      if (this.isAnswering) self.send(`${label} ${datagram.toString()}`, from.port, from.address);
    };
    this.socket = await loopback.udp(host, onDatagram, port);
    this.port = this.socket.address().port;
  }

  async close(): Promise<void> {
    const closed = once(this.socket as Socket, 'close');
    this.socket?.close();
    await closed;
  }

  get address(): string {
    return `127.0.0.1:${String(this.port)}`;
  }
}

/** A client that keeps its answers. */
export class Client {
  readonly answers: string[] = [];
  readonly #relay: RelayServer;
  readonly #socket: Socket;

  constructor(relay: RelayServer, socket: Socket) {
    this.#relay = relay;
    this.#socket = socket;
    socket.on('message', (message) => this.answers.push(message.toString()));
  }

  /** Sends `text`, and waits until the relay has it. */
  async send(text: string): Promise<void> {
    const { host, port } = split(listenOf(this.#relay));
    const bytes = (): number => statusOf(this.#relay).associations.fromClientBytes;
    const wanted = bytes() + text.length;
    this.#socket.send(text, port, host);
    await eventually('the datagram', () => bytes() === wanted, { intervalMs: 1 });
  }

  /** Sends `text` and waits for an answer to it. */
  async ask(text: string): Promise<string> {
    await this.send(text);
    return eventually(`an answer to ${text}`, () => this.answers.find((each) => each.endsWith(` ${text}`)), {
      intervalMs: 1,
    });
  }
}

/** A relay, its clock, and how it gets clients. */
export type Running = TestRelay & { readonly clock: FakeClock; readonly client: () => Promise<Client> };

/** A relay of one UDP endpoint; `names` may change. */
export async function started(
  remotes: readonly string[],
  names: Record<string, readonly string[]> = {},
  fields: Partial<RealmEndpoint> = {},
  options: { openFiles?: number } = {},
): Promise<Running> {
  const clock = new FakeClock();
  const [first = '', ...extra_remotes] = remotes;
  const only = endpoint(first, { extra_remotes, network: onlyUdp, ...fields });
  const running = await loopback.relay(config(only), {
    clock,
    random: () => 1,
    lookup: (host) => Promise.resolve(names[host] ?? []),
    ...options,
  });
  return { ...running, clock, client: async () => new Client(running.relay, await loopback.udp()) };
}

/** Resolves once `server` has `count` datagrams. */
export async function received(server: Server, count: number): Promise<void> {
  await eventually(`${String(count)} datagrams`, () => server.texts.length >= count, { intervalMs: 1 });
}
