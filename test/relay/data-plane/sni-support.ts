import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import type { RelayConfig } from '../../../src/config/relay-config.ts';
import type { RelayServer } from '../../../src/relay/server.ts';
import type { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { engines } from '../engines.ts';
import { addressText, config, Loopback, split, statusOf, type TestRelay } from '../loopback.ts';
import { TestPki, type PairFiles } from '../transport/pki.ts';

/** The sockets of these tests. */
export const loopback = new Loopback();

/** What the tests of a suite use. */
export type SniSuite = {
  /** A free port, another one for each test. */
  readonly port: () => number;
  /** The same at 127.0.0.1. */
  readonly at: () => string;
  /** Starts a relay with the engine of the suite. */
  readonly start: (first: RelayConfig, clock?: FakeClock) => Promise<TestRelay>;
};

/** The suite `body`, once for each engine. */
export function describeSni(title: string, body: (suite: SniSuite) => void): void {
  for (const engine of engines)
    describe(`relay, endpoints that share a port by sni${title} (engine ${engine.name})`, () => {
      let port: number;
      beforeEach(async () => {
        port = await freePort();
      });
      afterEach(() => loopback.closeAll());
      body({
        port: () => port,
        at: () => `127.0.0.1:${String(port)}`,
        start: (first, clock) => loopback.relay(first, { engine, ...(clock && { clock }) }),
      });
    });
}

/** An authority, and what is signed by it. */
class Certificates {
  readonly #pki = new TestPki();
  readonly #pairs = new Map<string, PairFiles>();
  readonly ca = readFileSync(this.#pki.ca);

  /** The certificate for `name` and its key. */
  of(name: string): PairFiles {
    const pair = this.#pairs.get(name) ?? this.#pki.pair(name);
    this.#pairs.set(name, pair);
    return pair;
  }

  remove(): void {
    this.#pki.remove();
  }
}

let made: Certificates | undefined;
after(() => made?.remove());

/** The certificates of these tests, which are made when the first is needed. */
export function certificates(): Certificates {
  return (made ??= new Certificates());
}

/** A TLS server with the certificate of `name`, which sends its name and then what it receives. */
export async function tlsRemote(name: string): Promise<string> {
  const pair = certificates().of(name);
  const sockets = new Set<TLSSocket>();
  const server: Server = createTlsServer(
    { cert: readFileSync(pair.cert), key: readFileSync(pair.key) },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.write(`${name}\n`);
      socket.pipe(socket);
    },
  ).listen({ host: '127.0.0.1', port: 0 });
  loopback.onClose(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server, 'listening');
  return addressText(server.address() as { address: string; port: number });
}

/** A client of TLS that asks for `servername`; '' = for none. */
export function tlsClient(address: string, servername: string): TLSSocket {
  const socket = connectTls({
    ...split(address),
    ca: certificates().ca,
    ...(servername !== '' && { servername }),
    checkServerIdentity: () => undefined,
  });
  socket.on('error', () => undefined);
  loopback.onClose(() => {
    socket.destroy();
  });
  return socket;
}

/** The first line that a server sends to `socket`, or the error with which the handshake fails. */
export async function greetingOf(socket: TLSSocket): Promise<string> {
  try {
    const [part] = (await once(socket, 'data')) as [Buffer];
    return part.toString().trim();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** A remote that keeps what it receives, by connection, and answers `answer`. */
export async function keeper(
  answer: string,
): Promise<{ address: string; got: Buffer[][]; sockets: Socket[] }> {
  const got: Buffer[][] = [];
  const sockets: Socket[] = [];
  const address = await loopback.tcpRemote((socket) => {
    const parts: Buffer[] = [];
    got.push(parts);
    sockets.push(socket);
    socket.write(answer);
    socket.on('data', (part: Buffer) => parts.push(part));
  });
  return { address, got, sockets };
}

type Shared = Readonly<Record<string, Partial<RealmEndpoint> & { readonly remote: string }>>;

/** Endpoints that share `port` of 127.0.0.1, each with its fields. */
export function sharing(port: number, endpoints: Shared, network: RealmNetwork = {}): RelayConfig {
  return config(
    ...Object.entries(endpoints).map(([name, fields]): RealmEndpoint => ({
      name,
      listen: `127.0.0.1:${String(port)}`,
      sni: { hosts: [`${name}.example`] },
      ...fields,
      network: { ...network, ...fields.network },
    })),
  );
}

/** How many TLS clients the endpoint `name` has refused, by reason. */
export function refusedOf(relay: RelayServer, name: string) {
  return statusOf(relay, name).sni?.refused;
}
